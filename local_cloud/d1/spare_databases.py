"""Databases that the runtime already knows although no call has created them, so that creating one seldom restarts it.

A restart takes a quarter of a second, and longer with each database. A spare database has no file: D1 creates it with the first query.
"""

from __future__ import annotations

from local_cloud.ids import new_uuid

_COUNT = 8


class SpareDatabases:
    """The ids of the spare databases of one running cloud; they are forgotten when it stops."""

    def __init__(self) -> None:
        """Start with none: the first database adds them."""
        self.ids: list[str] = []

    def take(self) -> str:
        """Give the id of a spare database; when there is none, add some, which the runtime does not know yet."""
        self.ids = self.ids or [new_uuid() for _ in range(_COUNT)]
        return self.ids.pop(0)
