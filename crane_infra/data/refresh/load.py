"""Puts a scrubbed copy into a staging database, in one import that takes effect as a whole or not at all, and records when it began and had its rows.

The record is part of the import and decides after a lost reply. What a killed run has sent may arrive later: an import whose record is gone,
because another refresh began, changes nothing. ``data/seeds/run.py`` marks a refresh as complete.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from crane_infra.counted import counted
from crane_infra.d1.database import BoundStatement
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
_LEAVE_IT = "Let that one end. If it was broken off, run the same command again"


@dataclass
class Load:
    """One load of a staging database from a scrubbed file."""

    database: StagingDatabase
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    token: str = field(default_factory=lambda: uuid4().hex)

    async def begin(self) -> None:
        """Record that a refresh began. Raises ApiError.

        One that was broken off before it had replaced the rows is forgotten; one that lacks its seeds is not, until this one has the rows.
        """
        insert = f"INSERT INTO {REFRESHES} (token, began_at) VALUES ({sql_literal(self.token)}, {_NOW})"  # noqa: S608
        old = f"DELETE FROM {REFRESHES} WHERE loaded_at IS NULL"  # noqa: S608
        await self.database.db.write([BoundStatement(CREATE_REFRESHES), BoundStatement(old), BoundStatement(insert)])

    async def run(self, scrubbed: Path, tables: Sequence[ScrubbedTable]) -> None:
        """Replace all rows with those of a file, whose ``tables`` say how many there are, and look whether they are there.

        Raises DataError where D1 refuses them (staging is as before), where the outcome stays unknown, or where rows are missing.
        """
        db = self.database.db
        triggers = [
            (str(row["name"]), str(row["sql"])) for row in await db.read("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        ]
        seeded = await db.read(f"SELECT name FROM sqlite_master WHERE name = '{SEEDS}'")  # noqa: S608
        last = [*([f"DELETE FROM {SEEDS}"] if seeded else []), *self._loaded]  # noqa: S608
        with SqlFile(scrubbed.with_suffix(".sql"), f"database {db.name}", SMALLER) as file:
            for statement in replacing_statements(scrubbed, triggers, [self._guard], last):
                file.add(statement)
            file.close()
            await self._import(file.path)
        await self._require_rows(tables)

    async def _import(self, file: Path) -> None:
        db = self.database.db
        try:
            await db.import_file(file)
        except WriteOutcomeUnknown as error:
            await self._settle(error)
        except ApiError as error:
            if await self._is_superseded():
                raise DataError(f"database {db.name}", "another refresh of it began, so this one changed nothing", _LEAVE_IT) from None
            what = f"D1 did not take the scrubbed rows, so staging is as before: {error.what}"
            raise DataError(f"database {db.name}", what, f"{error.todo}. {AGAIN}") from None

    @property
    def _guard(self) -> str:
        """Fails, and with it the import, where the record of this refresh is gone: another one took its place."""
        present = f"SELECT 1 FROM {REFRESHES} WHERE token = {sql_literal(self.token)}"  # noqa: S608
        return f"INSERT INTO {REFRESHES} (token, began_at) SELECT NULL, NULL WHERE NOT EXISTS ({present})"

    @property
    def _loaded(self) -> tuple[str, str]:
        token = sql_literal(self.token)
        others = f"DELETE FROM {REFRESHES} WHERE token != {token}"  # noqa: S608
        return others, f"UPDATE {REFRESHES} SET loaded_at = {_NOW} WHERE token = {token}"  # noqa: S608

    async def _is_superseded(self) -> bool:
        try:
            return not await self.database.db.read(f"SELECT token FROM {REFRESHES} WHERE token = ?", (self.token,))  # noqa: S608
        except ApiError:
            return False

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

    async def _require_rows(self, tables: Sequence[ScrubbedTable]) -> None:
        """Count what is there: a reply alone proves nothing."""
        counts = [f"(SELECT COUNT(*) FROM {quoted(table.name)})" for table in tables]  # noqa: S608
        for at in range(0, len(counts), 50):
            columns = [f"{count} AS n{number}" for number, count in enumerate(counts[at : at + 50])]
            (row,) = await self.database.db.read(f"SELECT {', '.join(columns)}")
            for table, count in zip(tables[at : at + 50], row.values(), strict=True):
                if count != table.kept:
                    what = f"{table.name} has {counted(int(str(count)), 'row')} after the refresh, and its scrubbed copy has {table.kept:,}"
                    raise DataError(f"database {self.database.db.name}", what, f"Stop what writes to staging meanwhile. {AGAIN}")
