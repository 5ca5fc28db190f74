"""The steps that the measurements of rows share: copy, rehearse, back up, restore and refresh, each with its time and the most memory meanwhile."""

from __future__ import annotations

import sys
import time
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from bench.rows import Goal, Row
from crane_infra.commands.databases import ManagedDatabase
from crane_infra.commands.refresh import Ends, Refresh, plan_refresh
from crane_infra.config.catalog import Catalog, CatalogDatabase
from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from crane_infra.d1.create import create_database
from crane_infra.data.backup.file import check_file, make_backup, unpack
from crane_infra.data.backup.load import load
from crane_infra.data.copy import Copied, Limits, copy_database
from crane_infra.data.trial import Attempt, Trial, try_migrations
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import SchemaFiles, read_migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from bench import machine
    from crane_infra.config.data_rules import TableRule

FIRST, AGAIN = "refresh of an empty staging", "refresh of a full staging"
_KEY = "a key of the measurement, and of nothing else"


@dataclass(frozen=True)
class Subject:
    """A production database that is measured: its migration, its rules for staging, how many rows it has, in how many tables."""

    api: machine.Api
    folder: Path
    migrations: Path
    rules: Mapping[str, TableRule]
    rows: int
    tables: int

    @property
    def schema(self) -> SchemaFiles:
        """Its migration files, as they are now."""
        return SchemaFiles(read_migrations(self.migrations, "migrations"))


@dataclass
class Figures:
    """The rows of a table of figures, one step after another."""

    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def step(self, what: str, rows: int = 0, goal: Goal | None = None) -> Iterator[None]:
        """Measure a step: its time, how many rows a second that is, and the most memory of this process."""
        _forget_peak()
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        self.add(what, seconds, "s")
        if rows:
            self.add(f"{what}: rows", rows / seconds, "rows/s", goal)
        self.add(f"{what}: most memory", _peak(), "MB")

    def add(self, what: str, value: float, unit: str, goal: Goal | None = None) -> None:
        """Add a figure, and say it at once: a long measurement may fail at its end."""
        self.rows.append(Row(what, value, unit, goal=goal))
        sys.stderr.write(f"{what}: {value:,.1f} {unit}\n")


@asynccontextmanager
async def database(api: machine.Api, name: str) -> AsyncIterator[tuple[str, D1]]:
    """A new database: its id and its client."""
    async with connect(api.running.api_url, api.running.token) as client:
        made = await create_database(client, api.running.account_id, name)
        yield made, D1(client, api.running.account_id, made, name)


async def copied(subject: Subject, production: D1, figures: Figures, goal: Goal | None = None) -> Copied:
    """Copy the database, all of it, as of one moment."""
    with figures.step("copy", subject.rows, goal):
        copy = await copy_database(production, subject.folder / "copy.sqlite", limits=Limits(2 * subject.rows))
    counts = {table.name: table.rows for table in copy.tables if table.name in subject.rules}
    require((sum(counts.values()), len(counts), bool(copy.bookmark)) == (subject.rows, subject.tables, True), f"the copy has {counts}")
    return copy


async def tried(subject: Subject, copy: Copied, figures: Figures, case: tuple[str, str, int]) -> None:
    """Try a migration that goes wrong; the trial has to name exactly so many rows, and fail or count them."""
    name, sql, rows = case
    (subject.migrations / "0002_change.sql").write_text(sql, encoding="utf-8")
    with figures.step(f"rehearse {name}"):
        trial = await try_migrations(copy, Attempt("production", subject.schema, "bench"))
    (subject.migrations / "0002_change.sql").unlink()
    require(_named(trial) == rows, f"the rehearsal of {name} names {_named(trial)} rows")
    figures.add(f"rehearse {name}: rows that it names", rows, "rows")


async def backed_up(subject: Subject, copy: Copied, figures: Figures) -> None:
    """Compress the copy, restore it into a new database, and compare every row."""
    with figures.step("backup: compress", subject.rows):
        backup = make_backup(copy, "production", datetime.now(UTC), subject.folder)
    figures.add("backup: its file", backup.stat().st_size / 1e6, "MB")
    async with database(subject.api, "restored") as (_, target):
        with figures.step("restore, every row compared", subject.rows):
            note = unpack(backup, subject.folder / "plain.sqlite")
            with closing(apsw.Connection(str(subject.folder / "plain.sqlite"))) as db:
                await check_file(db, note, backup.name)
                await load(target, db, silent)
    (subject.folder / "plain.sqlite").unlink()


async def refreshed(subject: Subject, production: tuple[str, D1], figures: Figures, *times: str) -> None:
    """Copy the database once more, mask it, and put its rows into staging; each of ``times`` is one refresh."""
    catalog = Catalog(workers={}, databases={"shop": CatalogDatabase(migrations="shop", staging_rows=dict(subject.rules))})
    async with database(subject.api, "staging") as (made, staging):
        await migrate(staging, subject.schema, release="bench", log=silent)
        ends = Ends(*(ManagedDatabase("shop", each, db, subject.schema) for each, db in (production, (made, staging))))
        (plan,) = await plan_refresh(catalog, [ends], "staging", frozenset())
        for what in times:
            said, began = list[tuple[str, float]](), time.perf_counter()
            run = Refresh(catalog, _KEY, subject.folder / "refresh", lambda text, said=said: said.append((text, time.perf_counter())))  # type: ignore[misc]
            with figures.step(what, subject.rows):
                tables = await run.run(plan)
            ended = [at for text, at in said if " copied " in text or " scrubbed, " in text]
            for part, seconds in zip(("copy", "scrub, the search for masked values included"), _between(began, ended), strict=True):
                figures.add(f"{what}: {part}", seconds, "s")
            kept = {table.name: table.kept for table in tables}
            require((sum(kept.values()), len(kept)) == (subject.rows, subject.tables), f"the refresh keeps {kept}")


def require(holds: object, message: str) -> None:
    """End the measurement where a figure is not exact."""
    if not holds:
        raise RuntimeError(message)


def silent(_: str) -> None:
    """Nobody reads the log of a measurement."""


def _named(trial: Trial) -> int:
    (report,) = trial.files
    if report.violations:
        return sum(violation.rows for violation in report.violations)
    return sum(change.deleted + change.overwritten for change in report.tables)


def _between(began: float, times: list[float]) -> list[float]:
    return [after - before for before, after in zip([began, *times], times, strict=False)]


def _forget_peak() -> None:
    """Let the kernel count the most memory of this process from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
