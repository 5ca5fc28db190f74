"""Loads a backup into a database: creates everything in an empty one, or replaces everything in one that is in use, and compares every row."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import apsw

from crane_infra.data.backup.compare import compare
from crane_infra.data.backup.sql import BEGIN, dropping_statements, restoring_statements
from crane_infra.data.copy import read_schema
from crane_infra.data.shapes import create_tables
from crane_infra.data.source import Source
from crane_infra.data.sql_file import SqlFile
from crane_infra.errors import DataError
from crane_infra.migrations.sqlite.engine import empty_database

_SMALLER = "Delete rows that nobody needs before the next backup; the backup itself is a SQLite file that any program reads"


class Target(Source, Protocol):
    """A database that takes a file of SQL as one transaction. ``D1`` is one."""

    async def import_file(self, file: Path) -> None:
        """Run a file of SQL as one transaction."""


async def load(
    target: Target, db: apsw.Connection, say: Callable[[str], None], before: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Make ``target`` equal to an unpacked backup in one import, all of it or nothing, and compare them row by row.

    ``before`` is awaited once all is ready to be sent. Raises DataError (too large, or not equal afterwards) and ApiError.
    """
    where = f"database {target.name}"
    with tempfile.TemporaryDirectory(prefix="crane-") as folder, SqlFile(Path(folder) / "restore.sql", where, _SMALLER) as file:
        for statement in (*BEGIN, *await _dropping(target)):
            file.add(statement)
        async for statement in restoring_statements(db, where):
            file.add(statement)
        file.close()
        if before:
            await before()
        say(f"{target.name}: {file.statements:,} statements are imported, which blocks it until they are done")
        await target.import_file(file.path)
    if differing := await compare(target, db):
        todo = "Stop what writes to it, then restore again"
        raise DataError(where, f"it is not equal to the backup: {'; '.join(map(str, differing[:5]))}", todo)
    say(f"{target.name}: every row was compared with the backup, and all are equal")


async def _dropping(target: Source) -> list[str]:
    """What empties the target."""
    schema = await read_schema(target)
    with empty_database() as db:
        create_tables(db, schema, f"database {target.name}")
        return dropping_statements(db, schema, f"database {target.name}")
