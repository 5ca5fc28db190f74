"""``crane data refresh``: production's rows in staging, without what is personal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.confirm import confirmed
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.cli.migrations import DatabaseOption, StackOption
from crane_infra.commands.databases import managed
from crane_infra.commands.masking_key import masking_key
from crane_infra.commands.refresh import DatabasePlan, Ends, Refresh, plan_refresh
from crane_infra.commands.seed import production_ids, require_staging
from crane_infra.commands.stack import outputs_of, settings_and_outputs, settings_of
from crane_infra.config.settings import Settings
from crane_infra.counted import counted
from crane_infra.data.copy import Limits
from crane_infra.data.seeds.of_catalog import seeds_of, try_all_seeds
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs

MOST_ROWS = Limits().rows
PlanOption = Annotated[bool, typer.Option("--plan", help="Only show what would be read, kept and masked, and what it costs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="The most rows of one database that may be read from production.")]


def refresh(
    stack: StackOption,
    database: DatabaseOption = None,
    plan: PlanOption = False,  # noqa: FBT002 - a flag of the command line
    yes: YesOption = False,  # noqa: FBT002
    rows: RowsOption = MOST_ROWS,
) -> None:
    """Give staging production's rows, scrubbed. The catalog has the rules, and staging's own rows go. Production is only read."""
    settings, outputs = settings_and_outputs(stack, root())
    require_staging(settings)
    with sigterm_as_ctrl_c():
        asyncio.run(_refresh(settings, outputs, database, rows, only_plan=plan, sure=yes))


async def _refresh(settings: Settings, outputs: StackOutputs, database: str | None, rows: int, *, only_plan: bool, sure: bool) -> None:
    crane = catalog.crane()
    production = outputs_of("production")
    taken = production_ids(settings, production)
    key = "" if only_plan else masking_key(settings.project)
    seeds = seeds_of(crane, settings.workers_dir)
    try_all_seeds(seeds, read_release(crane, settings.workers_dir))
    async with _both(settings, outputs, production, database) as ends:
        plans = await plan_refresh(crane, ends, settings.environment, taken)
        for line in [line for each in plans for line in each.lines]:
            typer.echo(line)
        if only_plan or not confirmed("Replace all rows of these databases of staging?", sure=sure):
            return
        run = Refresh(crane, key, root() / ".crane" / "refresh", typer.echo, seeds, rows)
        for each in plans:
            typer.echo(_summary(each, sum(table.kept for table in await run.run(each))))


@asynccontextmanager
async def _both(settings: Settings, staging: StackOutputs, production: StackOutputs, only: str | None) -> AsyncIterator[list[Ends]]:
    """Both databases of each name."""
    crane = catalog.crane()
    async with (
        managed(settings_of("production", root()), crane, production, only) as sources,
        managed(settings, crane, staging, only) as targets,
    ):
        yield [Ends(source, target) for source, target in zip(sources, targets, strict=True)]


def _summary(plan: DatabasePlan, rows: int) -> str:
    return f"{plan.target.name}: {plan.target.db.name} has {counted(rows, 'row')} of {plan.source.name}, scrubbed"
