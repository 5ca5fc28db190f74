"""What a copy asks of the database that it copies: SELECTs and a bookmark, nothing that writes."""

from collections.abc import Sequence
from typing import Protocol

import apsw

from crane_infra.d1.database import BoundStatement, Param, Row


class Source(Protocol):
    """A database that is read. ``D1`` is one; all methods raise ApiError where a call fails."""

    @property
    def name(self) -> str:
        """The database's name, for errors and messages."""

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT; its rows are counted, so no rows means that there are none."""

    async def select(self, statements: Sequence[BoundStatement]) -> list[list[Row]]:
        """Run SELECTs in one request, as one moment of the database; nobody counts their rows."""

    async def bookmark(self) -> str:
        """Return a name for the present state: another one after each write."""


class LocalSource:
    """A database in SQLite on this machine, read like one at Cloudflare."""

    def __init__(self, db: apsw.Connection, name: str) -> None:
        self._db, self._name = db, name

    @property
    def name(self) -> str:
        """What errors and messages call it."""
        return self._name

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT."""
        return self._rows(sql, params)

    async def select(self, statements: Sequence[BoundStatement]) -> list[list[Row]]:
        """Run SELECTs one after the other."""
        return [self._rows(sql, params) for sql, params in statements]

    async def bookmark(self) -> str:
        """The number of the last change."""
        return str(self._db.data_version())

    def _rows(self, sql: str, params: Sequence[Param]) -> list[Row]:
        cursor = self._db.execute(sql, tuple(params))
        return [{name: value for (name, *_), value in zip(cursor.get_description(), row, strict=True)} for row in cursor]
