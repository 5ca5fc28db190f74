"""Tells whether a view, a trigger or a table with foreign keys still works, by compiling what uses it.

SQLite accepts a view or a trigger whose table is gone, and fails only once it is used. So a view is read, a trigger is set off, and a table
with foreign keys is written to; all of that is compiled and never run.
"""

# ruff: noqa: S608 - SQL in memory, with quoted names, that is only compiled

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import apsw

from crane_infra.migrations.files.tokens import code, quoted, unquoted
from crane_infra.migrations.sqlite.compiler import Compiler
from crane_infra.migrations.sqlite.engine import rows
from crane_infra.migrations.sqlite.events import Event, ledger_of
from crane_infra.migrations.sqlite.texts import QuotedText, texts_in

_VERBS = {"INSERT", "UPDATE", "DELETE"}
_FIND = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = ? AND name = ? COLLATE NOCASE"
_TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


class Dependent(NamedTuple):
    """A view, a trigger, or a table with foreign keys, by its name in lower case."""

    kind: Literal["view", "trigger", "table"]
    name: str


class Condition(NamedTuple):
    """How a dependent is. ``name`` and ``table`` (what a trigger is on) are as they are written, ``uses`` the tables that matter in lower case.

    ``fault`` is why it does not compile, ``texts`` are the names in its ``sql`` that SQLite takes for texts, and ``ledger`` are the tables of the
    ledger that a trigger writes to.
    """

    name: str
    table: str
    sql: str
    uses: frozenset[str]
    fault: str = ""
    texts: tuple[QuotedText, ...] = ()
    ledger: frozenset[str] = frozenset()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not (self.fault or self.texts or self.ledger)


def condition_of(compiler: Compiler, dependent: Dependent) -> Condition | None:
    """How a dependent is now; None where it does not exist."""
    definition = rows(compiler.db, _FIND, dependent.kind, dependent.name)
    if not definition:
        return None
    ((name, table, sql),) = definition
    use = _use(compiler.db, dependent, table, sql)
    has_keys = dependent.kind == "table"
    events, fault = compiler.attempt(use, foreign_keys=has_keys, texts=False)
    if not fault:
        own = ledger_of(event for event in events if event.within.lower() == dependent.name)
        return Condition(name, table, sql, _tables(events), ledger=own)
    with _without_other_triggers(compiler.db, dependent):
        fault = compiler.attempt(use, foreign_keys=has_keys, texts=True)[1]
        texts = () if fault or has_keys else _texts(compiler, dependent, sql, use)
    # What SQLite reached before it failed is not all that matters.
    names = {unquoted(token.text).lower() for token in code(sql) if token.kind in {"name", "word"}}
    return Condition(name, table, sql, _tables(events) | names, fault, texts)


def tables_used(compiler: Compiler, view: str) -> frozenset[str]:
    """The tables and views that a view uses, as far as it compiles."""
    return _tables(compiler.attempt(f"SELECT * FROM {quoted(view)}", foreign_keys=False, texts=True)[0])


def _use(db: apsw.Connection, dependent: Dependent, table: str, sql: str) -> str:
    """A statement that uses the dependent."""
    if dependent.kind == "view":
        return f"SELECT * FROM {quoted(dependent.name)}"
    verb = "INSERT" if dependent.kind == "table" else next(token.keyword for token in code(sql) if token.keyword in _VERBS)
    if verb == "UPDATE":
        columns = [quoted(column) for (column,) in rows(db, "SELECT name FROM pragma_table_info(?, 'main')", table)]
        return f"UPDATE {quoted(table)} SET {', '.join(f'{column} = {column}' for column in columns)}"
    return f"INSERT INTO {quoted(table)} DEFAULT VALUES" if verb == "INSERT" else f"DELETE FROM {quoted(table)}"


def _tables(events: Iterable[Event]) -> frozenset[str]:
    return frozenset(event.table for event in events if event.table)


def _texts(compiler: Compiler, dependent: Dependent, sql: str, use: str) -> tuple[QuotedText, ...]:
    """The texts in the definition of a dependent, found by creating it again with each one masked."""

    def compile_with(definition: str) -> None:
        compiler.db.execute(f"DROP {dependent.kind} {quoted(dependent.name)}")
        compiler.db.execute(definition)
        compiler.compile_without_texts(use)

    return texts_in(sql, compile_with)


@contextmanager
def _without_other_triggers(db: apsw.Connection, dependent: Dependent) -> Iterator[None]:
    """Drop all triggers but this one for a while, so that only its own faults show."""
    db.execute("SAVEPOINT alone")
    try:
        for name in [name for (name,) in rows(db, _TRIGGERS)]:
            if dependent != Dependent("trigger", name.lower()):
                db.execute(f"DROP TRIGGER {quoted(name)}")
        yield
    finally:
        db.execute("ROLLBACK TO alone")
        db.execute("RELEASE alone")
