"""Tests of local_cloud.faults."""
