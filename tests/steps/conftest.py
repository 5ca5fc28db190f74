"""The session's local cloud, as the tests of the local cloud have it."""

from tests.local.conftest import api, cloud

__all__ = ["api", "cloud"]
