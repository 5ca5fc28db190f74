"""Compiles statements without running them, and tells what each would do: as D1 takes it, or else as SQLite does."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apsw

from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.d1 import (
    LIMITS,
    LONGEST_VALUE,
    MOST_STEPS,
    SHORT,
    TOO_MANY_STEPS,
    Refusal,
    denial,
    limit_exceeded,
    refusal_at_run,
)
from crane_infra.migrations.sqlite.engine import FAILURES, compile_only, count_steps, execute
from crane_infra.migrations.sqlite.events import DROP_ACTIONS, Event, watched, watched_as_d1
from crane_infra.migrations.sqlite.texts import QuotedText, texts_in

_LOSING = DROP_ACTIONS | {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
_QUOTES = (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL)


class Compiled(NamedTuple):
    """What SQLite says about a statement: its actions, and the tables that lose rows or references by foreign keys."""

    events: tuple[Event, ...] = ()
    cascades: frozenset[str] = frozenset()


class Compiler:
    """Compiles and runs statements on one database, with or without what D1 forbids."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self._usual = {limit: db.limit(limit) for limit in LIMITS}
        db.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)

    def compile_as_d1(self, statement: str) -> tuple[Compiled, Refusal | None]:
        """Compile a statement as D1 does; where only D1 refuses it, return its reason. Raises one of FAILURES where SQLite refuses it."""
        denials: list[Refusal] = []
        try:
            with self._limits_of_d1():
                compiled = self._compile(statement, denials)
        except FAILURES as error:
            refusal = denials[0] if denials else limit_exceeded(str(error))
            return self.compile(statement), refusal
        too_long = len(statement) > SHORT and count_steps(self.db, statement) > MOST_STEPS
        return compiled, TOO_MANY_STEPS if too_long else refusal_at_run(statement)

    def compile(self, statement: str) -> Compiled:
        """Compile a statement as SQLite does; raises one of FAILURES."""
        return self._compile(statement, None)

    def execute_as_d1(self, statement: str) -> Refusal | None:
        """Run a statement within the limits of D1, or beyond them where it does not fit; return what it exceeds. Raises one of FAILURES."""
        self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)  # a rename of a table depends on it
        try:
            with self._limits_of_d1():
                execute(self.db, statement)
        except FAILURES as error:
            refusal = limit_exceeded(str(error))
        else:
            return None
        execute(self.db, statement)
        return refusal

    def pragma(self, statement: str) -> tuple[str, Refusal | None]:
        """The name of a PRAGMA, and why D1 refuses it; nothing is changed. Raises one of FAILURES where SQLite refuses it."""
        # A PRAGMA acts while it is compiled, so the authorizer denies it.
        events: list[Event] = []
        with watched(self.db, events, allow=False):
            try:
                self.db.execute(statement, can_cache=False).close()
            except FAILURES:
                if not events:
                    raise
        name, value = (events[0].table, events[0].argument) if events else ("", "")
        return name, denial(apsw.SQLITE_PRAGMA, name, value or None, None) if name else None

    def attempt(self, statement: str, *, foreign_keys: bool, texts: bool) -> tuple[list[Event], str]:
        """Compile a statement; return its actions until it failed, and why it failed. ``texts``: names may be taken for texts."""
        events: list[Event] = []
        self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, int(foreign_keys))
        try:
            with watched(self.db, events):
                if texts:
                    compile_only(self.db, statement)
                else:
                    self.compile_without_texts(statement)
        except FAILURES as error:
            return events, str(error)
        return events, ""

    def texts(self, statement: str) -> tuple[QuotedText, ...]:
        """The names in a statement that SQLite takes for texts."""
        if '"' not in statement:
            return ()
        # The texts of a trigger that it sets off are not its own.
        self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            return texts_in(statement, self.compile_without_texts)
        finally:
            self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)

    def compile_without_texts(self, statement: str) -> None:
        """Compile a statement with names that cannot be taken for texts; raises one of FAILURES."""
        for switch in _QUOTES:
            self.db.config(switch, 0)
        try:
            compile_only(self.db, statement)
        finally:
            for switch in _QUOTES:
                self.db.config(switch, 1)

    def _compile(self, statement: str, denials: list[Refusal] | None) -> Compiled:
        without_keys = self._events(statement, denials, foreign_keys=False)
        if not any(event.action in _LOSING and is_users(event.table) for event in without_keys):
            return Compiled(without_keys)
        with_keys = self._events(statement, denials, foreign_keys=True)
        return Compiled(without_keys, _cascades(without_keys, with_keys))

    def _events(self, statement: str, denials: list[Refusal] | None, *, foreign_keys: bool) -> tuple[Event, ...]:
        events: list[Event] = []
        self.db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, int(foreign_keys))
        with watched(self.db, events) if denials is None else watched_as_d1(self.db, events, denials):
            compile_only(self.db, statement)
        return tuple(events)

    @contextmanager
    def _limits_of_d1(self) -> Iterator[None]:
        for limit, value in LIMITS.items():
            self.db.limit(limit, value)
        try:
            yield
        finally:
            for limit, value in self._usual.items():
                self.db.limit(limit, value)


def _cascades(without_keys: tuple[Event, ...], with_keys: tuple[Event, ...]) -> frozenset[str]:
    """The tables that a statement deletes from, or whose references it clears, only because foreign keys are enforced."""
    additional = Counter(map(_row_event, with_keys)) - Counter(map(_row_event, without_keys))
    lost = {apsw.SQLITE_DELETE}
    if not any(event.action == apsw.SQLITE_UPDATE and is_users(event.table) for event in without_keys):
        lost.add(apsw.SQLITE_UPDATE)  # otherwise it may be ON UPDATE, which loses no row
    named = {event.table for event in without_keys if event.action in {*DROP_ACTIONS, apsw.SQLITE_DELETE} and not event.within}
    return frozenset(table for action, table in additional if action in lost and is_users(table) and table not in named)


def _row_event(event: Event) -> tuple[int, str]:
    return event.action, event.table
