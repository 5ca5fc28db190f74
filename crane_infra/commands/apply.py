"""Applies pending migrations without Pulumi, for ``crane migrations apply``: the same runner and, for production, the same gate."""

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
"""What the ledger names as the release of a migration that a command applied in staging."""


async def apply_to(
    settings: Settings,
    catalog: Catalog,
    outputs_of: Callable[[str], StackOutputs],
    only: str | None,
    log: Callable[[str], None],
) -> list[str]:
    """Bring the databases of a stack, or the one called ``only``, up to their files; returns where each ledger stands then.

    ``outputs_of`` gives the outputs of a stack. Raises GateError where production may not take these files, else as ``migrate`` does.
    """
    outputs = outputs_of(settings.environment)
    release = RECORDED_AS
    if settings.environment == "production":
        files = read_release(catalog, settings.workers_dir)
        await require_open(settings, verdict_for(settings, files, outputs_of("staging").raw))
        release = files.digest
    summaries = []
    async with managed(settings, catalog, outputs, only) as databases:
        for database in databases:
            outcome = await migrate(database.db, database.schema, release=release, log=log)
            head = outcome.head.name or "no migration"
            summaries.append(f"{database.db.name}: {len(outcome.applied)} applied, stands at {head}")
    return summaries
