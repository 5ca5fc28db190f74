"""Databases that nobody has made yet and the runtime knows already, so that making one seldom starts it anew.

A start takes a quarter of a second, and longer with each database there is. A spare one has no file: D1 makes that with the first query.
"""

from __future__ import annotations

from local_cloud.ids import new_uuid

_COUNT = 8


class SpareDatabases:
    """The ids of the spare databases of one running cloud; none is remembered when it ends."""

    def __init__(self) -> None:
        """Begin with none: the first database brings them."""
        self.ids: list[str] = []

    def take(self) -> str:
        """Give the id of one; where there is none, of one that the runtime has to hear of, and of more."""
        self.ids = self.ids or [new_uuid() for _ in range(_COUNT)]
        return self.ids.pop(0)
