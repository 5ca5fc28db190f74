"""The control plane's state, in one SQLite file: once a method returns, its change survives kill -9.

Every record is a JSON body with an id, and may have a parent and a name that is unique among its kind. The file holds secrets of workers
in plain text, so only its owner can read it. It knows nothing of HTTP or of Cloudflare's formats.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Body = dict[str, Any]
Made = TypeVar("Made")
Kind = Literal["database", "worker", "version", "deployment", "schedules", "token", "infisical", "asset_session"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE, parent TEXT, name TEXT, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS records_name ON records(kind, name) WHERE name IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_parent ON records(kind, parent);
CREATE TABLE IF NOT EXISTS facts(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class NameTakenError(Exception):
    """Another record of this kind has the name."""


class Store:
    """Records by kind, in the order they were added, and a few facts about the cloud itself."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, with mode 0600."""
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._made: dict[object, tuple[int, Any]] = {}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the block's writes one transaction; a nested block joins the outer one."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, kind: Kind, ident: str, body: Body, *, name: str | None = None, parent: str | None = None) -> None:
        """Add a record; raises NameTakenError when another record of its kind has the name."""
        row = (kind, ident, parent, name, json.dumps(body))
        with _names_are_unique():
            self._db.execute("INSERT INTO records(kind, id, parent, name, body) VALUES(?, ?, ?, ?, ?)", row)

    def put(self, ident: str, body: Body, *, name: str | None = None) -> None:
        """Replace the body and name of a record; raises NameTakenError."""
        with _names_are_unique():
            self._db.execute("UPDATE records SET body = ?, name = ? WHERE id = ?", (json.dumps(body), name, ident))

    def remove(self, ident: str) -> None:
        """Remove a record and its children."""
        self._db.execute("DELETE FROM records WHERE id = ? OR parent = ?", (ident, ident))

    def get(self, kind: Kind, ident: str) -> Body | None:
        """Give the record with this id, None if there is none."""
        return next(self._bodies("kind = ? AND id = ?", kind, ident), None)

    def named(self, kind: Kind, name: str) -> Body | None:
        """Give the record with this name, None if there is none."""
        return next(self._bodies("kind = ? AND name = ?", kind, name), None)

    def all(self, kind: Kind) -> list[Body]:
        """Give every record of a kind, oldest first."""
        return list(self._bodies("kind = ?", kind))

    def children(self, kind: Kind, parent: str) -> list[Body]:
        """Give a parent's records of a kind, oldest first."""
        return list(self._bodies("kind = ? AND parent = ?", kind, parent))

    def last_child(self, kind: Kind, parent: str) -> Body | None:
        """Give a parent's newest record of a kind, None if there is none."""
        return next(self._bodies("kind = ? AND parent = ?", kind, parent, order="DESC LIMIT 1"), None)

    def overview(self, make: Callable[[Store], Made]) -> Made:
        """Give what ``make`` makes of the records, made anew only after a change. Nobody may change what it gives."""
        if self._db.in_transaction:  # its changes may be taken back
            return make(self)
        before = self._made.get(make)
        if before is None or before[0] != self._db.total_changes:
            before = self._made[make] = (self._db.total_changes, make(self))
        made: Made = before[1]
        return made

    def fact(self, key: str) -> str | None:
        """Give a fact about the cloud itself, None if it is not known."""
        row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, key: str, value: str) -> str:
        """Store a fact about the cloud itself and give it back."""
        self._db.execute("INSERT INTO facts VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", (key, value))
        return value

    def _bodies(self, where: str, *values: str, order: str = "ASC") -> Iterator[Body]:
        rows = self._db.execute(f"SELECT body FROM records WHERE {where} ORDER BY seq {order}", values).fetchall()  # noqa: S608 (constants)
        return (json.loads(body) for (body,) in rows)


@contextmanager
def _names_are_unique() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise NameTakenError from error
