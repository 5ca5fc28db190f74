"""What SQLite's authorizer is asked while a statement is compiled: the actions of the statement, on which tables."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw

from crane_infra.migrations.own_tables import ON_DEMAND, TABLES
from crane_infra.migrations.sqlite.d1 import Refusal, denial

_CHANGES = ("SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_")
SCHEMA_ACTIONS = {value for name, value in vars(apsw).items() if name.startswith(_CHANGES) or name == "SQLITE_REINDEX"}
DROP_ACTIONS = {apsw.SQLITE_DROP_TABLE, apsw.SQLITE_DROP_VTABLE}
ROW_ACTIONS = {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
INDEX_ACTIONS = {apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_DROP_INDEX}
ON_TABLE_ACTIONS = INDEX_ACTIONS | {apsw.SQLITE_CREATE_TRIGGER, apsw.SQLITE_DROP_TRIGGER}
"""Actions that name the table second."""


_Authorize = Callable[[int, str | None, str | None, str | None, str | None], int]


@dataclass(frozen=True, slots=True)
class Event:
    """One question to SQLite's authorizer: an action, on which table (in lower case), within which trigger or view."""

    action: int
    table: str
    argument: str
    within: str


def ledger_of(events: Iterable[Event]) -> frozenset[str]:
    """The tables of the ledger that some actions write to or change."""
    named = ((event.action, event.argument if event.action in ON_TABLE_ACTIONS else event.table) for event in events)
    return frozenset(name for action, name in named if action in SCHEMA_ACTIONS | ROW_ACTIONS and name in TABLES | ON_DEMAND)


@contextmanager
def watched(db: apsw.Connection, events: list[Event], *, allow: bool = True) -> Iterator[None]:
    """Collect what the authorizer is asked; ``allow`` False denies everything."""

    def authorize(action: int, first: str | None, second: str | None, _: str | None, within: str | None) -> int:
        events.append(_event(action, first, second, within))
        return apsw.SQLITE_OK if allow else apsw.SQLITE_DENY

    with _authorizer(db, authorize):
        yield


@contextmanager
def watched_as_d1(db: apsw.Connection, events: list[Event], denials: list[Refusal]) -> Iterator[None]:
    """Collect what the authorizer is asked, and deny what D1 denies; ``denials`` gets its reasons."""

    def authorize(action: int, first: str | None, second: str | None, database: str | None, within: str | None) -> int:
        events.append(_event(action, first, second, within))
        if refusal := denial(action, first, second, database):
            denials.append(refusal)
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK

    with _authorizer(db, authorize):
        yield


def _event(action: int, first: str | None, second: str | None, within: str | None) -> Event:
    # ALTER TABLE names the database first.
    table, other = (second, first) if action == apsw.SQLITE_ALTER_TABLE else (first, second)
    return Event(action, (table or "").lower(), (other or "").lower(), within or "")


@contextmanager
def _authorizer(db: apsw.Connection, authorize: _Authorize) -> Iterator[None]:
    db.authorizer = authorize
    try:
        yield
    finally:
        db.authorizer = None
