"""``crane data seed``: rows for staging, without an update."""

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import DatabaseOption, StackOption
from crane_infra.commands.seed import require_staging
from crane_infra.commands.seed import seed as run_seed
from crane_infra.commands.stack import outputs_of, settings_and_outputs


def seed(stack: StackOption, database: DatabaseOption = None) -> None:
    """Run the seeds of staging that are due. Those are new, changed or missing; an update runs them after its migrations. Never in production."""
    settings, outputs = settings_and_outputs(stack, root())
    require_staging(settings)
    for line in run_seed(settings, catalog.crane(), outputs, outputs_of("production"), database, typer.echo):
        typer.echo(line)
