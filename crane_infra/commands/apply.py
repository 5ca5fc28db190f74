"""Applies pending migrations without Pulumi, for ``crane migrations apply``: the same run and, for production, the same gate."""

import asyncio
from collections.abc import Callable

from crane_infra.commands.databases import managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.live.promotion import require_open
from crane_infra.migrations.apply import migrate
from crane_infra.release.gate import verdict_for
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs

RECORDED_AS = "crane migrations apply"
"""The release that the ledger records for a migration which this command applied to staging."""


def apply_to(
    settings: Settings,
    catalog: Catalog,
    outputs_of: Callable[[str], StackOutputs],
    only: str | None,
    log: Callable[[str], None],
) -> list[str]:
    """Apply pending migrations to the databases of a stack, or the one called ``only``; returns a summary of each.

    ``outputs_of`` returns the outputs of a stack. Raises GateError where production's gate is closed for these files, else as ``migrate`` does.
    """
    return asyncio.run(_apply(settings, catalog, outputs_of, only, log))


async def require_proven(
    settings: Settings, catalog: Catalog, staging: StackOutputs, production: StackOutputs, log: Callable[[str], None] = lambda _: None
) -> str:
    """Require that staging has proven the release of these files, as an update of production does; returns its digest.

    Raises GateError where it has not, else as ``require_open`` does.
    """
    files = read_release(catalog, settings.workers_dir)
    for twin in await require_open(settings, verdict_for(settings, files, staging.raw, production.raw)):
        log(twin)
    return files.digest


async def _apply(
    settings: Settings,
    catalog: Catalog,
    outputs_of: Callable[[str], StackOutputs],
    only: str | None,
    log: Callable[[str], None],
) -> list[str]:
    outputs = outputs_of(settings.environment)
    release = RECORDED_AS
    if settings.environment == "production":
        release = await require_proven(settings, catalog, outputs_of("staging"), outputs, log)
    summaries = []
    async with managed(settings, catalog, outputs, only) as databases:
        for database in databases:
            outcome = await migrate(database.db, database.schema, release=release, log=log)
            head = outcome.head.name or "no migration"
            summaries.append(f"{database.db.name}: {len(outcome.applied)} applied, ledger at {head}")
    return summaries
