"""Loads a backup into a database: creates everything in an empty one, or replaces everything in one that is in use, and compares every row."""

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import apsw

from crane_infra.d1.errors import BusyError, NoAnswerError, WriteOutcomeUnknown
from crane_infra.data.backup.compare import Difference, compare
from crane_infra.data.backup.sql import BEGIN, dropping_statements, restoring_statements
from crane_infra.data.copy import read_schema
from crane_infra.data.refresh.load import POLLS
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
    target: Target, db: apsw.Connection, say: Callable[[str], None], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Make ``target`` equal to an unpacked backup in one import, all of it or nothing, and compare them row by row.

    Raises DataError (too large, not equal afterwards, or unknown whether it is) and ApiError.
    """
    where = f"database {target.name}"
    with tempfile.TemporaryDirectory(prefix="crane-") as folder, SqlFile(Path(folder) / "restore.sql", where, _SMALLER) as file:
        for statement in (*BEGIN, *await _dropping(target)):
            file.add(statement)
        async for statement in restoring_statements(db, where):
            file.add(statement)
        file.close()
        say(f"{target.name}: {file.statements:,} statements are imported, which blocks it until they are done")
        try:
            await target.import_file(file.path)
            differing = await compare(target, db)
        except WriteOutcomeUnknown as error:
            differing = await _settle(target, db, error, pause)
    if differing:
        todo = "Stop what writes to it, then restore again"
        raise DataError(where, f"it is not equal to the backup: {'; '.join(map(str, differing[:5]))}", todo)
    say(f"{target.name}: every row was compared with the backup, and all are equal")


async def _settle(
    target: Target, db: apsw.Connection, error: WriteOutcomeUnknown, pause: Callable[[float], Awaitable[None]]
) -> list[Difference]:
    """Find out from the rows whether an import whose reply was lost was done: it may still be under way."""
    for seconds in (*POLLS, None):
        with contextlib.suppress(BusyError, NoAnswerError):
            if not await compare(target, db):
                return []
        if seconds is not None:
            await pause(seconds)
    what = f"whether the backup is there is unknown ({error.what}): the database has all of it or is as before"
    raise DataError(f"database {target.name}", what, "Wait until D1 is done with it, then restore again")


async def _dropping(target: Source) -> list[str]:
    """What empties the target."""
    schema = await read_schema(target)
    with empty_database() as db:
        create_tables(db, schema, f"database {target.name}")
        return dropping_statements(db, schema, f"database {target.name}")
