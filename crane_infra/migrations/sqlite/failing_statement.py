"""Finds the statement that D1's message is about, where that is possible (without a request).

D1 does not say which statement of a request failed. The files are run on an empty SQLite in memory, with D1's limits: the statement that fails
there with the same message is the one. A failure that depends on rows names a table: then it is one of the statements that write to it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import shorten, words
from crane_infra.migrations.files.tokens import has_word
from crane_infra.migrations.own_tables import CREATE, TABLES, is_users
from crane_infra.migrations.sqlite.compiler import Compiler
from crane_infra.migrations.sqlite.d1 import PARAMETER
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database, execute
from crane_infra.migrations.sqlite.events import DROP_ACTIONS, ROW_ACTIONS, Event

_OF_A_TABLE = re.compile(r"(?:UNIQUE|NOT NULL) constraint failed: (?P<table>[^.:]+)\.")
_OF_ROWS = re.compile(r"constraint failed|datatype mismatch|too big|SQLITE_CONSTRAINT|SQLITE_MISMATCH|SQLITE_TOOBIG")
_BY_SQLITE = "SQLITE_"


class _Tried(NamedTuple):
    """A statement that was tried: why it failed, and the tables whose rows it writes, drops, or makes unique."""

    failure: str
    tables: frozenset[str]


def find_statements(files: Sequence[MigrationFile], file: MigrationFile, message: str) -> tuple[int, ...]:
    """Return the indexes (from 0) of the statements of ``file`` that ``message`` can be about: one where it is known, none where it is not.

    The files before it are run first.
    """
    if any(table in message for table in TABLES):
        return ()
    with empty_database() as db:
        for statement in (*CREATE, *(sql for earlier in files if earlier.order < file.order for sql in earlier.statements)):
            _failure(db, statement)
        compiler = Compiler(db)
        tried = [_try(compiler, statement) for statement in file.statements]
    same = [index for index, each in enumerate(tried) if each.failure and each.failure in message]
    return tuple(same[:1] or _by_table(tried, message) or ([0] if len(tried) == 1 and _BY_SQLITE in message else []))


def describe(file: MigrationFile, indexes: Sequence[int]) -> str:
    """Return how an error names the statement, or those among which it is; empty where it is not known."""
    known = [index for index in indexes if 0 <= index < len(file.statements)]
    if len(known) > 1:
        return f"one of the statements {', '.join(str(index + 1) for index in known)} of {len(file.statements)}"
    return "".join(f"statement {index + 1} of {len(file.statements)} ({shorten(file.statements[index])})" for index in known)


def _by_table(tried: Sequence[_Tried], message: str) -> list[int]:
    """The statements that a failure can be about which depends on rows."""
    if not _OF_ROWS.search(message):
        return []
    match = _OF_A_TABLE.search(message)
    named = match["table"].lower() if match else ""
    return [index for index, each in enumerate(tried) if (named in each.tables if named else each.tables)]


def _try(compiler: Compiler, statement: str) -> _Tried:
    try:
        if next(words(statement), "") == "PRAGMA":
            _, refusal = compiler.pragma(statement)
            return _Tried(refusal.message if refusal else "", frozenset())
        compiled, refusal = compiler.compile_as_d1(statement)
    except apsw.BindingsError:
        return _Tried(PARAMETER, frozenset())
    except FAILURES as error:
        return _Tried(str(error), frozenset())
    tables = frozenset(_tables(statement, compiled.events))
    return _Tried(refusal.message if refusal else _failure(compiler.db, statement), tables)


def _tables(statement: str, events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        if event.action in ROW_ACTIONS | DROP_ACTIONS and is_users(event.table):
            yield event.table
        if event.action == apsw.SQLITE_CREATE_INDEX and has_word(statement, "UNIQUE"):
            yield event.argument


def _failure(db: apsw.Connection, statement: str) -> str:
    # Without rows every reference would fail, so foreign keys are off.
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
    try:
        execute(db, statement)
    except FAILURES as error:
        return str(error)
    return ""
