"""``crane freeze`` and ``crane unfreeze``: nothing is promoted meanwhile."""

from typing import Annotated

import typer

from crane_infra.commands import freeze as frozen

StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: production.")]
ReasonOption = Annotated[str, typer.Option(help="Why. Everybody who meets the freeze reads it.")]
ByOption = Annotated[str, typer.Option(help="Who. Default: the person behind a job of GitHub, else the user of this machine.")]


def freeze(stack: StackOption, reason: ReasonOption, by: ByOption = "") -> None:
    """Freeze production: previews go on, and nothing is promoted until somebody lifts it.

    Rollbacks stay possible. Needs the state backend alone.
    """
    typer.echo(f"{frozen.freeze(stack, reason, by).summary}. To lift it: crane unfreeze -s {stack}")


def unfreeze(stack: StackOption) -> None:
    """Lift the freeze of production."""
    typer.echo(f"Lifted: {frozen.unfreeze(stack).summary}")
