"""``crane migrations apply``: applies pending migrations as an update would."""

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import DatabaseOption, StackOption
from crane_infra.commands.apply import State, apply_to
from crane_infra.commands.freeze import freeze_of
from crane_infra.commands.stack import outputs_of, settings_and_outputs


def apply(stack: StackOption, database: DatabaseOption = None) -> None:
    """Apply pending migrations as an update would. To production only those that staging has proven. Exits 0 if all are applied, else 1."""
    settings, outputs = settings_and_outputs(stack, root())
    state = State(lambda name: outputs if name == stack else outputs_of(name), freeze_of)
    for line in apply_to(settings, catalog.crane(), state, database, typer.echo):
        typer.echo(line)
