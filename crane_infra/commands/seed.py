"""Runs the seeds of staging without Pulumi, for ``crane data seed``: those that an update would run."""

import asyncio
from collections.abc import Callable

from crane_infra.commands.databases import ManagedDatabase, managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import neighbours
from crane_infra.config.settings import Settings
from crane_infra.counted import counted
from crane_infra.data.seeds.files import Seed
from crane_infra.data.seeds.of_catalog import seeds_of, try_all_seeds
from crane_infra.data.seeds.run import run_seeds
from crane_infra.data.staging import StagingDatabase, database_ids, staging_database
from crane_infra.errors import DataError
from crane_infra.migrations.status import status_of
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs


def seed(
    settings: Settings, catalog: Catalog, staging: StackOutputs, production: StackOutputs, only: str | None, log: Callable[[str], None]
) -> list[str]:
    """Run the seeds of staging's databases, or of the one called ``only``; returns a summary of each.

    Raises DataError for another environment, for a database of production and where migrations are pending; else as ``run_seeds`` does.
    """
    require_staging(settings)
    return asyncio.run(_seed(settings, catalog, (staging, production), only, log))


def require_staging(settings: Settings) -> None:
    """Raise DataError for any other environment, before anything is asked."""
    if settings.environment != "staging":
        raise DataError(f"stack {settings.environment}", "only staging gets rows from seeds and refreshes", "Use -s staging")


def production_ids(settings: Settings, production: StackOutputs) -> frozenset[str]:
    """The ids of production's databases, by its stack file and its last outputs. Raises SettingsError where the file cannot be read."""
    return database_ids(neighbours(settings, {"production": production.raw}))


async def _seed(
    settings: Settings, catalog: Catalog, outputs: tuple[StackOutputs, StackOutputs], only: str | None, log: Callable[[str], None]
) -> list[str]:
    seeds = seeds_of(catalog, settings.workers_dir)
    try_all_seeds(seeds, read_release(catalog, settings.workers_dir))
    taken = production_ids(settings, outputs[1])
    summaries = []
    async with managed(settings, catalog, outputs[0], only) as databases:
        for database in databases:
            target = staging_database(settings.environment, database.name, database.id, database.db, taken)
            names = await _seed_one(database, target, seeds.get(database.name, ()), log)
            summaries.append(f"{database.db.name}: {len(names)} of {counted(len(seeds.get(database.name, ())), 'seed')} ran")
    return summaries


async def _seed_one(
    database: ManagedDatabase, target: StagingDatabase, seeds: tuple[Seed, ...], log: Callable[[str], None]
) -> tuple[str, ...]:
    judgement = await status_of(database.db, database.schema)
    if judgement.refusal:
        raise judgement.refusal
    if seeds and judgement.plan.pending:
        what = f"{judgement.plan.pending[0].name} is pending, and seeds run after the migrations"
        raise DataError(f"database {database.db.name}", what, "Run pulumi up -s staging, which runs both")
    return await run_seeds(target, seeds, log)
