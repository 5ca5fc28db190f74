"""Fixtures of the migrations' tests."""

from tests.d1.fixtures import db, no_waiting, server

__all__ = ["db", "no_waiting", "server"]
