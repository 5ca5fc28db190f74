"""The effect of one statement, as SQLite's authorizer reports it while it compiles the statement. Pure data."""

import sqlite3
from dataclasses import dataclass

from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.tables import Tables

SCHEMA_ACTIONS = {
    value
    for name, value in vars(sqlite3).items()
    if name.startswith(("SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_")) or name == "SQLITE_REINDEX"
}
DROP_ACTIONS = {sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_VTABLE}
_WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_CREATES = {sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_VTABLE}
_INDEX_CHANGES = {sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_DROP_INDEX}
_VERBS = ((sqlite3.SQLITE_INSERT, "insert"), (sqlite3.SQLITE_UPDATE, "update"), (sqlite3.SQLITE_DELETE, "delete"))


@dataclass(frozen=True)
class Event:
    """One question to SQLite's authorizer: an action, on which table (in lower case), within which trigger or view."""

    action: int
    table: str
    argument: str
    within: str


@dataclass(frozen=True)
class Effect:
    """What one statement does. Names are in lower case; ``before`` and ``after`` are equal where no table changes.

    ``cascades`` are the tables that lose rows or references only because foreign keys are enforced; ``refused`` is SQLite's reason to refuse
    the statement, ``pragma`` the name of a PRAGMA.
    """

    sql: str
    before: Tables
    after: Tables
    events: tuple[Event, ...] = ()
    cascades: frozenset[str] = frozenset()
    refused: str = ""
    pragma: str = ""

    @property
    def verb(self) -> str:
        """What the statement itself does to rows: insert, update or delete; empty for nothing."""
        if self.changes_schema:
            return ""
        actions = {event.action for event in self.events if not event.within}
        return next((name for action, name in _VERBS if action in actions), "")

    @property
    def changes_schema(self) -> bool:
        """Whether it creates, alters or drops something."""
        return any(event.action in SCHEMA_ACTIONS for event in self.events)

    @property
    def targets(self) -> frozenset[str]:
        """The tables that the statement itself writes to."""
        return frozenset() if self.changes_schema else self._tables(_WRITES, direct=True)

    @property
    def reads(self) -> frozenset[str]:
        """The tables that it reads."""
        return self._tables({sqlite3.SQLITE_READ})

    @property
    def fills(self) -> frozenset[str]:
        """The tables that get rows, by triggers too."""
        created = self._tables(_CREATES) if any(event.action == sqlite3.SQLITE_SELECT for event in self.events) else frozenset()
        return created if self.changes_schema else self._tables({sqlite3.SQLITE_INSERT})

    @property
    def drops(self) -> frozenset[str]:
        """The tables that it drops."""
        return self._tables(DROP_ACTIONS)

    @property
    def renames(self) -> tuple[str, str] | None:
        """The old and the new name of a table that it renames."""
        gone, new = self.before.keys() - self.after.keys(), self.after.keys() - self.before.keys()
        altered = any(event.action == sqlite3.SQLITE_ALTER_TABLE for event in self.events)
        return (gone.pop(), new.pop()) if altered and len(gone) == len(new) == 1 else None

    @property
    def touches(self) -> frozenset[str]:
        """The tables that it creates, changes, drops or writes to, by triggers and foreign keys too."""
        names = self.before.keys() | self.after.keys()
        changed = {name for name in names if self.before.get(name) != self.after.get(name)}
        indexed = {event.argument for event in self.events if event.action in _INDEX_CHANGES}
        written = frozenset() if self.changes_schema else self._tables(_WRITES)
        return frozenset(changed | {name for name in indexed if is_users(name)}) | written | self.cascades

    def _tables(self, actions: set[int], *, direct: bool = False) -> frozenset[str]:
        """The user's tables of some actions; ``direct`` leaves out those within triggers and views."""
        events = (event for event in self.events if event.action in actions and not (direct and event.within))
        return frozenset(event.table for event in events if is_users(event.table))
