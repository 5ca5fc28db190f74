"""Loads a backup into a database: creates everything in an empty one, or replaces everything in one that is in use, and compares every row."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import apsw

from crane_infra.data.backup.compare import compare
from crane_infra.data.backup.sql import BEGIN, dropping_statements, restoring_statements
from crane_infra.data.copy import read_schema
from crane_infra.data.shapes import create_tables
from crane_infra.data.source import Source
from crane_infra.errors import DataError
from crane_infra.migrations.sqlite.engine import empty_database

LARGEST = 300_000_000
"""Characters of SQL in one import, which is held in memory."""


class Target(Source, Protocol):
    """A database that takes a file of SQL as one transaction. ``D1`` is one."""

    async def run_file(self, sql: str) -> None:
        """Run one SQL file as one transaction."""


async def load(
    target: Target, db: apsw.Connection, say: Callable[[str], None], before: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Make ``target`` equal to an unpacked backup in one import, all of it or nothing, and compare them row by row.

    ``before`` is awaited once all is ready to be sent. Raises DataError (too large, or not equal afterwards) and ApiError.
    """
    where = f"database {target.name}"
    pieces, size = [f"{statement};\n" for statement in (*BEGIN, *await _dropping(target))], 0
    async for statement in restoring_statements(db, where):
        pieces.append(f"{statement};\n")
        size += len(statement)
        if size > LARGEST:
            raise DataError(
                where, f"the backup is more than {LARGEST:,} characters of SQL", "Restore it with wrangler d1 execute, in parts"
            )
    if before:
        await before()
    say(f"{target.name}: {len(pieces):,} statements are imported, which blocks it until they are done")
    await target.run_file("".join(pieces))
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
