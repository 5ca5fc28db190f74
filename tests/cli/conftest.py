"""The tests of the command line run in their own clone."""

from tests.clone import clone, run

__all__ = ["clone", "run"]
