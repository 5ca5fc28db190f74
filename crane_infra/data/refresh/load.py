"""Puts a scrubbed copy into a staging database, in one import that takes effect as a whole or not at all, and marks when it began and was done.

The mark decides after a lost reply: it is part of the import. A refresh that was broken off leaves the mark without an end, and the next one says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from crane_infra.d1.database import BoundStatement, DatabaseClient
from crane_infra.d1.errors import BusyError, NoAnswerError, WriteOutcomeUnknown
from crane_infra.data.refresh.sql import replacing_statements
from crane_infra.data.scrub.run import ScrubbedTable
from crane_infra.data.sql_file import SqlFile
from crane_infra.data.staging import StagingDatabase
from crane_infra.errors import ApiError, DataError
from crane_infra.migrations.files.split import sql_literal
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.own_tables import CREATE_REFRESHES, REFRESHES, SEEDS

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
POLLS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between looks at an import whose reply was lost."""
SMALLER = "Let staging have fewer rows, with Sample or Where"
AGAIN = "Run the same command again: it replaces all rows once more"


@dataclass(frozen=True)
class Mark:
    """A refresh in the database's own record: when it began, when its rows were there, and when it was complete with its seeds."""

    began_at: str
    loaded_at: str | None
    done_at: str | None

    @property
    def state(self) -> str | None:
        """What is to be said of a refresh that is not complete; None for one that is."""
        if self.done_at:
            return None
        has = "has its rows, and may lack seeds" if self.loaded_at else "left the rows of before"
        return f"the refresh that began at {self.began_at} was not completed: it {has}"


async def read_mark(db: DatabaseClient) -> Mark | None:
    """The last refresh of a database; None where there was none. Raises ApiError."""
    if not await db.read(f"SELECT name FROM sqlite_master WHERE name = '{REFRESHES}'"):  # noqa: S608
        return None
    rows = await db.read(f"SELECT began_at, loaded_at, done_at FROM {REFRESHES} ORDER BY began_at DESC LIMIT 1")  # noqa: S608
    return Mark(*(None if value is None else str(value) for value in rows[0].values())) if rows else None  # type: ignore[arg-type]


@dataclass
class Load:
    """One load of a staging database from a scrubbed file."""

    database: StagingDatabase
    scrubbed: Path
    tables: tuple[ScrubbedTable, ...]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    token: str = field(default_factory=lambda: uuid4().hex)

    async def run(self) -> None:
        """Replace all rows, and look whether they are there.

        Raises DataError where D1 refuses them (staging is as before), where the outcome stays unknown, or where rows are missing.
        """
        db = self.database.db
        triggers = [
            (str(row["name"]), str(row["sql"])) for row in await db.read("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        ]
        seeded = await db.read(f"SELECT name FROM sqlite_master WHERE name = '{SEEDS}'")  # noqa: S608
        last = [*([f"DELETE FROM {SEEDS}"] if seeded else []), self._noted("loaded_at")]  # noqa: S608
        with SqlFile(self.scrubbed.with_suffix(".sql"), f"database {db.name}", SMALLER) as file:
            for statement in replacing_statements(self.scrubbed, triggers, last):
                file.add(statement)
            file.close()
            await self._begin()
            await self._import(file.path)
        await self._require_rows()

    async def _import(self, file: Path) -> None:
        db = self.database.db
        try:
            await db.import_file(file)
        except WriteOutcomeUnknown as error:
            await self._settle(error)
        except ApiError as error:
            what = f"D1 did not take the scrubbed rows, so staging is as before: {error.what}"
            raise DataError(f"database {db.name}", what, f"{error.todo}. {AGAIN}") from None

    async def complete(self) -> None:
        """Mark the refresh as complete. Raises ApiError."""
        await self.database.db.write([BoundStatement(self._noted("done_at"))])

    async def _begin(self) -> None:
        insert = f"INSERT INTO {REFRESHES} (token, began_at) VALUES ({sql_literal(self.token)}, {_NOW})"  # noqa: S608
        old = f"DELETE FROM {REFRESHES}"  # noqa: S608
        await self.database.db.write([BoundStatement(CREATE_REFRESHES), BoundStatement(old), BoundStatement(insert)])

    def _noted(self, column: str) -> str:
        return f"UPDATE {REFRESHES} SET {column} = {_NOW} WHERE token = {sql_literal(self.token)}"  # noqa: S608

    async def _settle(self, error: ApiError) -> None:
        """Find out from the mark whether an import whose reply was lost was done."""
        db = self.database.db
        for seconds in (*POLLS, None):
            try:
                query = f"SELECT loaded_at FROM {REFRESHES} WHERE token = ?"  # noqa: S608
                rows = await db.read(query, (self.token,))
            except (BusyError, NoAnswerError):
                rows = []
            if rows and rows[0]["loaded_at"] is not None:
                return
            if seconds is not None:
                await self.pause(seconds)
        what = f"whether the scrubbed rows are there is unknown ({error.what}): staging has all of them or is as before"
        raise DataError(f"database {db.name}", what, AGAIN)

    async def _require_rows(self) -> None:
        """Count what is there: a reply alone proves nothing."""
        counts = [f"(SELECT COUNT(*) FROM {quoted(table.name)})" for table in self.tables]  # noqa: S608
        for at in range(0, len(counts), 50):
            columns = [f"{count} AS n{number}" for number, count in enumerate(counts[at : at + 50])]
            (row,) = await self.database.db.read(f"SELECT {', '.join(columns)}")
            for table, count in zip(self.tables[at : at + 50], row.values(), strict=True):
                if count != table.kept:
                    what = f"{table.name} has {count} rows after the refresh, and its scrubbed copy has {table.kept}"
                    raise DataError(f"database {self.database.db.name}", what, f"Stop what writes to staging meanwhile. {AGAIN}")
