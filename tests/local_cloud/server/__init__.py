"""Tests of local_cloud.server."""
