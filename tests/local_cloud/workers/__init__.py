"""Tests of local_cloud.workers."""
