"""Runs statements in an empty SQLite in memory and tells what each would do: which tables change, are written, and lose rows.

SQLite itself is asked: the schema before and after, and its authorizer while it compiles a statement once with foreign keys and once
without; what is deleted only with them is what D1 would delete on its own. Statements that write rows are compiled and never run, so
there are no rows and nothing depends on any. Prevents a parser of ours from being wrong about SQL.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from crane_infra.migrations.files import split
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.tables import Known, Table, Tables, read_tables

_STEPS = 1_000_000  # of SQLite's machine, so that a CREATE TABLE AS that never ends is given up
_LONGEST = 2_000_000  # bytes of a value, D1's limit
_SCHEMA = {
    value
    for name, value in vars(sqlite3).items()
    if name.startswith(("SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_")) or name == "SQLITE_REINDEX"
}
_WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_DROPS = {sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_VTABLE}
_CREATES = {sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_VTABLE}
Failure = (sqlite3.Error, sqlite3.Warning, ValueError)


@dataclass(frozen=True)
class Event:
    """One thing that SQLite's authorizer was asked: an action, on which table (in lower case), within which trigger or view."""

    action: int
    table: str
    argument: str
    within: str


@dataclass(frozen=True)
class Effect:
    """What one statement does. Names are in lower case; ``before`` and ``after`` are the same where no table changes."""

    statement: str
    before: Tables
    after: Tables
    events: tuple[Event, ...] = ()
    cascades: frozenset[str] = frozenset()
    refused: str = ""
    pragma: str = ""

    @property
    def verb(self) -> str:
        """What the statement itself does to rows: insert, update, delete or nothing."""
        if self.changes_schema:
            return ""
        actions = {event.action for event in self.events if not event.within}
        names = ((sqlite3.SQLITE_INSERT, "insert"), (sqlite3.SQLITE_UPDATE, "update"), (sqlite3.SQLITE_DELETE, "delete"))
        return next((name for action, name in names if action in actions), "")

    @property
    def changes_schema(self) -> bool:
        """Whether it creates, alters or drops something."""
        return any(event.action in _SCHEMA for event in self.events)

    @property
    def targets(self) -> frozenset[str]:
        """The tables that the statement itself names to write to."""
        return frozenset() if self.changes_schema else self._tables(_WRITES, direct=True)

    @property
    def reads(self) -> frozenset[str]:
        """The tables that it reads."""
        return self._tables({sqlite3.SQLITE_READ})

    @property
    def fills(self) -> frozenset[str]:
        """The tables that get rows, by triggers too."""
        made = self._tables(_CREATES) if any(event.action == sqlite3.SQLITE_SELECT for event in self.events) else frozenset()
        return made if self.changes_schema else self._tables({sqlite3.SQLITE_INSERT})

    @property
    def drops(self) -> frozenset[str]:
        """The tables that it drops."""
        return self._tables(_DROPS)

    @property
    def renames(self) -> tuple[str, str] | None:
        """The old and new name of a table that it renames."""
        gone, new = self.before.keys() - self.after.keys(), self.after.keys() - self.before.keys()
        altered = any(event.action == sqlite3.SQLITE_ALTER_TABLE for event in self.events)
        return (gone.pop(), new.pop()) if altered and len(gone) == len(new) == 1 else None

    @property
    def touches(self) -> frozenset[str]:
        """The tables that it makes, changes, drops or writes to, by triggers and foreign keys too."""
        both = self.before.keys() | self.after.keys()
        changed = {name for name in both if self.before.get(name) != self.after.get(name)}
        made = {event.argument for event in self.events if event.action in {sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_DROP_INDEX}}
        written = frozenset() if self.changes_schema else self._tables(_WRITES)
        return frozenset(changed | {name for name in made if is_users(name)}) | written | self.cascades

    def _tables(self, actions: set[int], *, direct: bool = False) -> frozenset[str]:
        return frozenset(e.table for e in self.events if e.action in actions and is_users(e.table) and not (direct and e.within))


class Trial:
    """An empty database to try statements on. ``tables`` is what it holds now."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: Known = {}
        self.tables = read_tables(db, self._known)

    def objects(self) -> list[tuple[str, str, str]]:
        """Kind, name and SQL of each object that has some."""
        return list(self._db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))

    def begin_file(self) -> None:
        """Forget the PRAGMAs of the file before: in D1 they last for one call."""
        self._db.execute("PRAGMA legacy_alter_table = OFF")

    def run(self, statement: str) -> Effect:
        """Do what a statement does to the schema, and tell what it would do; never raises, a refusal is in the effect."""
        before = self.tables
        try:
            if next(split.words(statement), "") == "PRAGMA":
                return Effect(statement, before, before, pragma=self._pragma(statement))
            events, cascades = self._compile(statement)
            if any(event.action in _SCHEMA for event in events):
                self._execute(statement)
        except Failure as error:
            return Effect(statement, before, before, refused=str(error) or "no reason given")
        return Effect(statement, before, self.tables, events, cascades)

    def _compile(self, statement: str) -> tuple[tuple[Event, ...], frozenset[str]]:
        if next(split.words(statement), "") == "EXPLAIN":
            return (), frozenset()
        own, all_of_it = self._events(statement, foreign_keys=False), self._events(statement, foreign_keys=True)
        return own, _cascades(own, all_of_it)

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
        # A PRAGMA acts while it is compiled, so the authorizer says no to all but the one that the next RENAME depends on.
        events: list[Event] = []
        with _watched(self._db, events, allow=False):
            try:
                self._db.execute(statement).close()
            except Failure:
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
    """Why SQLite refuses an ALTER TABLE once the table has a row; nothing where it does not."""
    names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in table.columns.values())
    quoted = '"' + table.name.replace('"', '""') + '"'
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        try:
            db.execute(f"CREATE TABLE {quoted} ({names})")
            db.execute(f"INSERT INTO {quoted} DEFAULT VALUES")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(statement)
        except Failure as error:
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


def _cascades(own: tuple[Event, ...], with_keys: tuple[Event, ...]) -> frozenset[str]:
    # The tables that a statement deletes from, or whose references it clears, only because foreign keys are on.
    more = Counter(map(_row_event, with_keys)) - Counter(map(_row_event, own))
    lost = {sqlite3.SQLITE_DELETE}
    if not any(event.action == sqlite3.SQLITE_UPDATE and is_users(event.table) for event in own):
        lost.add(sqlite3.SQLITE_UPDATE)  # else it may be ON UPDATE, which loses no row
    named = {event.table for event in own if event.action in {*_DROPS, sqlite3.SQLITE_DELETE} and not event.within}
    return frozenset(table for action, table in more if action in lost and is_users(table) and table not in named)


def _row_event(event: Event) -> tuple[int, str]:
    return event.action, event.table
