"""Finds the statement that D1's message is about, where that is possible (without a request).

D1 does not say which statement of a batch failed. The files are tried on an empty SQLite in memory: the statement that fails there with the
same message is the one. A failure that depends on rows (a UNIQUE constraint) or on a base schema is not found.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import shorten

_STEPS = 200_000  # of SQLite's virtual machine, after which a statement that never ends is stopped


def find_statement(files: Sequence[MigrationFile], file: MigrationFile, message: str) -> int | None:
    """Return the index (from 0) of the statement of ``file`` that fails with ``message``; the files before it are tried first."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.set_progress_handler(lambda: True, _STEPS)
        for earlier in files:
            if earlier.order < file.order:
                _failures(memory, earlier)
        failures = _failures(memory, file)
    return next((index for index, failure in enumerate(failures) if failure and failure in message), None)


def describe(file: MigrationFile, index: int | None) -> str:
    """Return how an error names a statement; empty where it is not known."""
    if index is None or not 0 <= index < len(file.statements):
        return ""
    return f"statement {index + 1} of {len(file.statements)} ({shorten(file.statements[index])})"


def _failures(memory: sqlite3.Connection, file: MigrationFile) -> list[str | None]:
    return [_failure(memory, statement) for statement in file.statements]


def _failure(memory: sqlite3.Connection, statement: str) -> str | None:
    try:
        memory.execute(statement)
    except sqlite3.Error as error:
        return str(error)
    return None
