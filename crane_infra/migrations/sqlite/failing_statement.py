"""Finds the statement that D1's message is about, where that is possible (without a request).

D1 does not say which statement of a batch failed. The files are tried on an empty SQLite in memory: the statement that fails there with the
same message is the one. A failure that depends on rows (a UNIQUE constraint) or on a base schema is not found.
"""

from collections.abc import Sequence

import apsw

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import shorten
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database, execute


def find_statement(files: Sequence[MigrationFile], file: MigrationFile, message: str) -> int | None:
    """Return the index (from 0) of the statement of ``file`` that fails with ``message``; the files before it are tried first."""
    with empty_database() as memory:
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


def _failures(memory: apsw.Connection, file: MigrationFile) -> list[str | None]:
    return [_failure(memory, statement) for statement in file.statements]


def _failure(memory: apsw.Connection, statement: str) -> str | None:
    try:
        execute(memory, statement)
    except FAILURES as error:
        return str(error)
    return None
