"""Applies pending migrations without Pulumi, for ``crane migrations apply``: the same run and, for production, the same gate."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from crane_infra.commands.databases import ManagedDatabase, managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.live.heads import ledger_heads
from crane_infra.live.promotion import require_open
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.ledger import Ledger, LedgerHead, head_of
from crane_infra.release.freeze import Freeze, with_freeze
from crane_infra.release.gate import verdict_for
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.rehearsed import rehearsal_proof, with_rehearsal


@dataclass(frozen=True)
class State:
    """How the outputs of a stack, and its freeze, are read."""

    outputs_of: Callable[[str], StackOutputs]
    freeze_of: Callable[[str], Freeze | None]


RECORDED_AS = "crane migrations apply"
"""The release that the ledger records for a migration which this command applied to staging."""


def apply_to(
    settings: Settings,
    catalog: Catalog,
    state: State,
    only: str | None,
    log: Callable[[str], None],
) -> list[str]:
    """Apply pending migrations to the databases of a stack, or the one called ``only``; returns a summary of each.

    Raises GateError where production's gate is closed for these files or production is frozen, else as ``migrate`` does.
    """
    return asyncio.run(_apply(settings, catalog, state, only, log))


async def require_proven(
    settings: Settings,
    catalog: Catalog,
    staging: StackOutputs,
    production: StackOutputs,
    freeze: Freeze | None,
    log: Callable[[str], None] = lambda _: None,
) -> str:
    """Require that staging has proven the release of these files, as an update of production does; returns its digest.

    Raises GateError where it has not or production is frozen, else as ``require_open`` does.
    """
    files = read_release(catalog, settings.workers_dir)
    verdict = with_freeze(verdict_for(settings, files, staging.raw, production.raw), freeze, settings.override_freeze)
    if settings.require_rehearsal and not settings.rollback_to and verdict.is_open:
        expected = rehearsal_proof(files.digest, await ledger_heads(settings, production))
        verdict = with_rehearsal(verdict, settings.rehearsed, expected)
    if verdict.note:
        log(f"{verdict.note}.")
    for line in await require_open(settings, verdict):
        log(line)
    return files.digest


async def _apply(
    settings: Settings,
    catalog: Catalog,
    state: State,
    only: str | None,
    log: Callable[[str], None],
) -> list[str]:
    outputs = state.outputs_of(settings.environment)
    release = RECORDED_AS
    if settings.environment == "production":
        proven = state.outputs_of("staging")
        release = await require_proven(settings, catalog, proven, outputs, state.freeze_of("production"), log)
    summaries = []
    async with managed(settings, catalog, outputs, only) as databases:
        for database in databases:
            outcome = await migrate(database.db, database.schema, release=release, log=log, known=_known(outputs, database))
            head = outcome.head.name or "no migration"
            summaries.append(f"{database.db.name}: {len(outcome.applied)} applied, ledger at {head}")
    return summaries


def _known(outputs: StackOutputs, database: ManagedDatabase) -> Ledger | LedgerHead | None:
    """The head of a database's ledger after the last release, so that its bookmark can be taken while it is read; an empty ledger where none has it.

    None where that release has all files: nothing is likely to be pending then, and no bookmark is needed.
    """
    if outputs.database_id(database.name) != database.id or not outputs.migrations(database.name):
        return Ledger()
    head = outputs.ledger(database.name).head
    return None if head == head_of(database.schema.files) else head
