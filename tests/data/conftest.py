"""Fixtures of the tests of data: a local cloud for the few that need one."""

from tests.cloud import api, begin, cloud, faults

__all__ = ["api", "begin", "cloud", "faults"]
