"""Follows the triggers and indexes of each table: what a statement makes, and what goes with a table that it drops."""

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from crane_infra.migrations.files.tokens import code, normal
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.engine import rows

_ATTACHED = (
    "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL"
)
_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


class Attached(NamedTuple):
    """A trigger or an index. ``name`` is as it is written, ``table`` in lower case; ``since`` counts all that were ever made."""

    kind: str
    name: str
    table: str
    sql: str
    since: int

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.kind, self.name.lower()

    @property
    def body(self) -> str:
        """What it does, whatever it and its table are called: its SQL in one form without these names."""
        left_out = {self.name.lower(), self.table, "if", "not", "exists"}
        return " ".join(form for form in normal(code(self.sql)) if form not in left_out)


class Exchange(NamedTuple):
    """What a statement makes or moves with a table that it renames, and what is gone after it."""

    made: tuple[Attached, ...] = ()
    moved: tuple[Attached, ...] = ()
    gone: tuple[Attached, ...] = ()


NO_EXCHANGE = Exchange()


class AttachedObjects:
    """The triggers and indexes of one database, by table."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._now: dict[str, dict[tuple[str, str], Attached]] = {}
        self._since: dict[tuple[str, str], int] = {}

    @property
    def count(self) -> int:
        """How many were ever made: one that is made later has a ``since`` that is not lower."""
        return len(self._since)

    @property
    def triggers(self) -> dict[str, str]:
        """The text of each trigger by its name in lower case, as it is now: a table that is renamed changes those of other tables too."""
        return {name.lower(): sql for name, sql in rows(self._db, _TRIGGERS)}

    def read_again(self, tables: Iterable[str]) -> Exchange:
        """Read the triggers and indexes of tables and views that a statement may have changed, and return what is new and what is gone."""
        made, gone = dict[tuple[str, str], Attached](), dict[tuple[str, str], Attached]()
        for table in tables:
            before, now = self._now.get(table, {}), self._read(table)
            gone |= {key: before[key] for key in before.keys() - now.keys()}
            made |= {key: now[key] for key in now.keys() - before.keys()}
            self._now[table] = now
        moved = made.keys() & gone.keys()
        return Exchange(_only(made, made.keys() - moved), _only(made, moved), _only(gone, gone.keys() - moved))

    def _read(self, table: str) -> dict[tuple[str, str], Attached]:
        read = {}
        for kind, name, sql in rows(self._db, _ATTACHED, table) if is_users(table) else ():
            since = self._since.setdefault((kind, name.lower()), len(self._since))
            read[kind, name.lower()] = Attached(kind, name, table, sql, since)
        return read


def _only(attached: dict[tuple[str, str], Attached], keys: Iterable[tuple[str, str]]) -> tuple[Attached, ...]:
    return tuple(attached[key] for key in sorted(keys))
