"""The command line's tests run in a clone of their own."""

from tests.clone import clone, run

__all__ = ["clone", "run"]
