"""Refreshes staging from production, for ``crane data refresh``: production is copied, the copy scrubbed, and staging gets its rows.

All that can be refused is refused for all databases before a row is read. The copy of production lies in a folder of its own, which only this
user can open, and is removed once it is scrubbed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crane_infra.alone import alone
from crane_infra.commands.databases import ManagedDatabase
from crane_infra.config.catalog import Catalog
from crane_infra.counted import counted
from crane_infra.data.copy import Limits, Watch, copy_database
from crane_infra.data.disk import disk_faults
from crane_infra.data.refresh.costs import Costs, costs_of, left_out, plan_lines, written_text
from crane_infra.data.refresh.load import Load
from crane_infra.data.refresh.on_copy import run_pending
from crane_infra.data.scrub.of_files import database_of
from crane_infra.data.scrub.rules import TablePlan, require_rules
from crane_infra.data.scrub.run import ScrubbedTable, ScrubJob, scrub
from crane_infra.data.seeds.files import Seed
from crane_infra.data.seeds.run import run_seeds
from crane_infra.data.source import Source
from crane_infra.data.staging import StagingDatabase, staging_database
from crane_infra.errors import DataError, ScrubError, refuse
from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files.read import MigrationFile, from_empty
from crane_infra.migrations.judgement import plan_for
from crane_infra.migrations.own_tables import ACCEPTED, ON_DEMAND, OURS, ROWS, WRANGLER
from crane_infra.migrations.status import status_of
from crane_infra.migrations.unfinished_refresh import UnfinishedRefresh

Say = Callable[[str], None]
FIX_FIRST = "Run crane migrations status, and fix what it names first"


@dataclass(frozen=True)
class DatabasePlan:
    """What a refresh does with one database: where its rows come from, what becomes of them, and where they go."""

    source: Source
    target: StagingDatabase
    tables: tuple[TablePlan, ...]
    pending: tuple[MigrationFile, ...]
    """The migrations that staging has and production does not have yet."""
    costs: Costs
    unfinished: str | None

    @property
    def lines(self) -> list[str]:
        """What is said before anything is read."""
        reads, writes = self.costs.lines
        first = [f"{self.target.name}: rows of {self.source.name} go to {self.target.db.name}", f"  {self.unfinished}"]
        pending = [f"  on the copy run first, since production does not have them: {', '.join(file.name for file in self.pending)}"]
        told = [*first[: 2 if self.unfinished else 1], f"  {reads}", f"  {writes}", *(pending if self.pending else [])]
        return [*told, *(f"  {line}" for line in plan_lines(self.tables, self.costs))]


@dataclass(frozen=True)
class Refresh:
    """A refresh of staging: the rules, the key of the masks, where copies lie, and whom it tells what it does."""

    catalog: Catalog
    key: str = field(repr=False)
    folder: Path
    say: Say
    seeds: Mapping[str, tuple[Seed, ...]] = field(default_factory=dict)
    most_rows: int = Limits().rows
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self, plan: DatabasePlan) -> tuple[ScrubbedTable, ...]:
        """Refresh one database. Raises DataError, ScrubError or ApiError; staging is then as before, or the error says what it has."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        where, todo = f"database {plan.target.db.name}", "Let that one end, then run the same command again"
        with alone(self.folder / f"{plan.target.name}.lock", DataError(where, "another refresh of it runs in this clone", todo)):
            return await self._run(plan)

    async def _run(self, plan: DatabasePlan) -> tuple[ScrubbedTable, ...]:
        name = plan.target.name
        copy, scrubbed = self.folder / f"{name}.production.sqlite", self.folder / f"{name}.sqlite"
        copy.unlink(missing_ok=True)
        load = Load(plan.target, self.pause)
        await load.begin()
        skip = {*left_out(plan.tables), WRANGLER, OURS, ROWS, ACCEPTED, *ON_DEMAND}
        copied = await copy_database(plan.source, copy, limits=Limits(self.most_rows), watch=Watch(self.say, pause=self.pause), skip=skip)
        self.say(f"{name}: copied {counted(copied.rows, 'row')} of production")
        if copied.unsettled:
            kept_changing = ", ".join(copied.unsettled)
            self.say(
                f"{name}: {kept_changing} kept changing, so the copy is of several moments; rows that refer to missing ones are left out"
            )
        try:
            with disk_faults(self.folder):
                run_pending(copy, plan.pending, is_whole=not left_out(plan.tables))
                tables = scrub(copy, scrubbed, ScrubJob(name, self.catalog.databases[name].staging_rows, self.key))
        finally:
            copy.unlink(missing_ok=True)
        kept = {table.name: table.kept for table in tables}
        written = sum(plan.costs.written_for(table, rows) for each in (plan.costs.staging.tables, kept) for table, rows in each.items())
        self.say(
            f"{name}: scrubbed, {counted(sum(kept.values()), 'row')} {'stays' if sum(kept.values()) == 1 else 'stay'}; writes {written_text(written)}"
        )
        await load.run(scrubbed, tables)
        await run_seeds(plan.target, self.seeds.get(name, ()), self.say)
        scrubbed.unlink(missing_ok=True)
        return tables


@dataclass(frozen=True)
class Ends:
    """The two databases of one name in the catalog, opened."""

    production: ManagedDatabase
    staging: ManagedDatabase


async def plan_refresh(catalog: Catalog, ends: Sequence[Ends], environment: str, production_ids: frozenset[str]) -> list[DatabasePlan]:
    """What a refresh would do with each database.

    Raises ScrubError with every table and column of all databases that has no rule, before a row is read; DataError for an end that does not
    fit: another environment, a database of production, drift, migrations that are pending in staging.
    """
    targets = [
        staging_database(environment, each.staging.name, each.staging.id, each.staging.db, production_ids | {each.production.id})
        for each in ends
    ]
    tables = _require_all_rules(catalog, ends)
    return [await _plan(each, target, planned) for each, target, planned in zip(ends, targets, tables, strict=True)]


def _require_all_rules(catalog: Catalog, ends: Sequence[Ends]) -> list[tuple[TablePlan, ...]]:
    plans, errors = list[tuple[TablePlan, ...]](), list[ScrubError]()
    for each in ends:
        name, schema = each.staging.name, each.staging.schema
        with database_of(from_empty(schema.files, schema.base)) as (db, tables):
            try:
                plans.append(require_rules(db, name, tables, catalog.databases[name].staging_rows))
            except ScrubError as error:
                errors += [one for one in error.errors if isinstance(one, ScrubError)]
    refuse(errors)
    return plans


async def _plan(ends: Ends, target: StagingDatabase, tables: tuple[TablePlan, ...]) -> DatabasePlan:
    refresh = await _require_settled(ends.staging)
    files = replace(ends.production.schema, files=ends.staging.schema.files, base=ends.staging.schema.base)
    pending = await _pending_in(replace(ends.production, schema=files))
    costs = await costs_of(ends.production.db, ends.staging.db, left_out(tables))
    return DatabasePlan(ends.production.db, target, tables, pending, costs, refresh.summary if refresh else None)


async def _require_settled(staging: ManagedDatabase) -> UnfinishedRefresh | None:
    """Staging has to have exactly the schema of these files: the rows of the copy get it too. Returns the refresh that is not complete."""
    judgement = await status_of(staging.db, staging.schema)
    if judgement.refusal:
        raise judgement.refusal
    if judgement.plan.pending:
        what = f"{judgement.plan.pending[0].name} is pending, and its rows are to have the schema of these files"
        raise DataError(f"database {staging.db.name}", what, "Run pulumi up -s staging first")
    await _require_no_drift(staging)
    return judgement.ledger.refresh


async def _pending_in(production: ManagedDatabase) -> tuple[MigrationFile, ...]:
    """What production does not have yet. Raises MigrationError where its ledger does not fit these files."""
    ledger = await production.ledger()
    await _require_no_drift(production)
    return plan_for(production.db.name, production.schema, ledger).pending


async def _require_no_drift(database: ManagedDatabase) -> None:
    drift = await look_for_drift(database.db, database.schema, await database.ledger())
    if drift.objects:
        what = f"its schema is not the one that its migrations make: {', '.join(drift.objects)}"
        raise DataError(f"database {database.db.name}", what, FIX_FIRST)
