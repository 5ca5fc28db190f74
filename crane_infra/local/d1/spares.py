"""Databases that nobody has made yet and the runtime knows already, so that making one seldom starts it anew.

A start takes a quarter of a second, and longer with each database there is. A spare one has no file: D1 makes that with the first query.
"""

from __future__ import annotations

from crane_infra.local.ids import new_uuid

_COUNT = 8


class Spares:
    """The ids of the spare databases of one running cloud; none is remembered when it ends."""

    def __init__(self) -> None:
        """Begin with none: the first database brings them."""
        self.ids: list[str] = []

    def take(self) -> tuple[str, bool]:
        """Give an id, and whether there are new ones since, of which the runtime has to hear."""
        if self.ids:
            return self.ids.pop(0), False
        self.ids = [new_uuid() for _ in range(_COUNT)]
        return new_uuid(), True
