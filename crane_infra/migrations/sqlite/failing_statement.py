"""Finds the statement that D1's message is about, where that can be told (no request is made).

D1 names no statement of a batch. The files are tried on an empty SQLite in memory: the statement that fails there with the words that
D1 used is the one. What depends on the data (a UNIQUE that fails) or on a base schema is not found, and then nothing is claimed.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from crane_infra.migrations.files import split
from crane_infra.migrations.files.read import MigrationFile

_STEPS = 200_000  # of SQLite's machine, so that a statement that never ends is given up


def find_statement(files: Sequence[MigrationFile], file: MigrationFile, message: str) -> int | None:
    """Return the index of the statement of ``file`` that fails with ``message``; the files before it are tried first."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.set_progress_handler(lambda: True, _STEPS)
        for earlier in files:
            if earlier.number < file.number:
                _failures(memory, earlier)
        failures = _failures(memory, file)
    return next((index for index, failure in enumerate(failures) if failure and failure in message), None)


def describe(file: MigrationFile, index: int | None) -> str:
    """Return how an error names a statement; nothing where it is not known."""
    if index is None or not 0 <= index < len(file.statements):
        return ""
    return f"statement {index + 1} of {len(file.statements)} ({split.shorten(file.statements[index])})"


def _failures(memory: sqlite3.Connection, file: MigrationFile) -> list[str | None]:
    return [_failure(memory, statement) for statement in file.statements]


def _failure(memory: sqlite3.Connection, statement: str) -> str | None:
    try:
        memory.execute(statement)
    except sqlite3.Error as error:
        return str(error)
    return None
