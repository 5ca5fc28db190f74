"""Tests of local_cloud.d1."""
