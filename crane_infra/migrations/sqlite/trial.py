"""Compiles statements in an empty SQLite in memory and finds out what each would do: which tables change, are written, or lose rows.

SQLite itself is asked: its schema before and after, and its authorizer while it compiles a statement once with foreign keys and once without.
What is deleted only with them is what D1 would delete on its own. Statements that write rows are compiled and never run, so there are no rows
and nothing depends on any.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from crane_infra.migrations.files.split import words
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.statement_effect import DROP_ACTIONS, SCHEMA_ACTIONS, Effect, Event
from crane_infra.migrations.sqlite.tables import Known, Table, read_tables

_STEPS = 1_000_000  # of SQLite's virtual machine, after which a CREATE TABLE AS that never ends is stopped
_LONGEST = 2_000_000  # bytes of a value, D1's limit
_FAILURES = (sqlite3.Error, sqlite3.Warning, ValueError)


class Trial:
    """A database to try statements on, empty at first. ``tables`` is what it holds now."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: Known = {}
        self.tables = read_tables(db, self._known)

    def objects(self) -> list[tuple[str, str, str]]:
        """Kind, name and SQL of each object that has SQL."""
        return list(self._db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))

    def begin_file(self) -> None:
        """Reset the PRAGMAs of the previous file: in D1 they last for one call."""
        self._db.execute("PRAGMA legacy_alter_table = OFF")

    def run(self, statement: str) -> Effect:
        """Apply a statement's schema changes and return what it would do; never raises, a refusal is in the effect."""
        before = self.tables
        try:
            if next(words(statement), "") == "PRAGMA":
                return Effect(statement, before, before, pragma=self._pragma(statement))
            events, cascades = self._compile(statement)
            if any(event.action in SCHEMA_ACTIONS for event in events):
                self._execute(statement)
        except _FAILURES as error:
            return Effect(statement, before, before, refused=str(error) or "no reason given")
        return Effect(statement, before, self.tables, events, cascades)

    def _compile(self, statement: str) -> tuple[tuple[Event, ...], frozenset[str]]:
        if next(words(statement), "") == "EXPLAIN":
            return (), frozenset()
        without_keys, with_keys = self._events(statement, foreign_keys=False), self._events(statement, foreign_keys=True)
        return without_keys, _cascades(without_keys, with_keys)

    def _events(self, statement: str, *, foreign_keys: bool) -> tuple[Event, ...]:
        events: list[Event] = []
        self._db.execute(f"PRAGMA foreign_keys = {foreign_keys}")
        with _watched(self._db, events):
            self._db.execute(f"EXPLAIN {statement}").close()
        return tuple(events)

    def _execute(self, statement: str) -> None:
        self._db.execute(statement).close()
        self.tables = read_tables(self._db, self._known)

    def _pragma(self, statement: str) -> str:
        # A PRAGMA acts while it is compiled, so the authorizer denies all but the one that the next RENAME depends on.
        events: list[Event] = []
        with _watched(self._db, events, allow=False):
            try:
                self._db.execute(statement).close()
            except _FAILURES:
                if not events:
                    raise
        name = events[0].table if events else ""
        if name == "legacy_alter_table":
            self._db.execute(statement).close()
        return name


@contextmanager
def trial() -> Iterator[Trial]:
    """Open an empty database in memory, with the limits of D1."""
    with closing(sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)) as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        db.set_progress_handler(lambda: True, _STEPS)
        yield Trial(db)


def refusal_with_a_row(statement: str, table: Table) -> str:
    """Why SQLite refuses an ALTER TABLE once the table has a row; empty where it accepts it."""
    names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in table.columns.values())
    quoted = '"' + table.name.replace('"', '""') + '"'
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        try:
            db.execute(f"CREATE TABLE {quoted} ({names})")
            db.execute(f"INSERT INTO {quoted} DEFAULT VALUES")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(statement)
        except _FAILURES as error:
            return str(error)
    return ""


@contextmanager
def _watched(db: sqlite3.Connection, events: list[Event], *, allow: bool = True) -> Iterator[None]:
    def authorize(action: int, first: str | None, second: str | None, _: str | None, within: str | None) -> int:
        # ALTER TABLE names the database first.
        table, other = (second, first) if action == sqlite3.SQLITE_ALTER_TABLE else (first, second)
        events.append(Event(action, (table or "").lower(), (other or "").lower(), within or ""))
        return sqlite3.SQLITE_OK if allow else sqlite3.SQLITE_DENY

    db.set_authorizer(authorize)
    try:
        yield
    finally:
        db.set_authorizer(None)


def _cascades(without_keys: tuple[Event, ...], with_keys: tuple[Event, ...]) -> frozenset[str]:
    """The tables that a statement deletes from, or whose references it clears, only because foreign keys are enforced."""
    additional = Counter(map(_row_event, with_keys)) - Counter(map(_row_event, without_keys))
    lost = {sqlite3.SQLITE_DELETE}
    if not any(event.action == sqlite3.SQLITE_UPDATE and is_users(event.table) for event in without_keys):
        lost.add(sqlite3.SQLITE_UPDATE)  # otherwise it may be ON UPDATE, which loses no row
    named = {event.table for event in without_keys if event.action in {*DROP_ACTIONS, sqlite3.SQLITE_DELETE} and not event.within}
    return frozenset(table for action, table in additional if action in lost and is_users(table) and table not in named)


def _row_event(event: Event) -> tuple[int, str]:
    return event.action, event.table
