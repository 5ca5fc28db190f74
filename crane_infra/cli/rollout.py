"""``crane rollout``: looks at a rollout, goes on with one that holds, or puts the old versions back."""

import asyncio
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.commands import rollout
from crane_infra.commands.apply import State
from crane_infra.commands.freeze import freeze_of
from crane_infra.commands.stack import outputs_of, settings_of

app = typer.Typer(no_args_is_help=True, help="Decide about a rollout that holds.")
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]


@app.command()
def status(stack: StackOption) -> None:
    """Say which share of the traffic each new version has."""
    for line in asyncio.run(rollout.status(settings_of(stack, root()))):
        typer.echo(line)


@app.command(name="continue")
def go_on(stack: StackOption) -> None:
    """Give the new versions the share of the next step. After the last step they get everything.

    In production the gate has to be open for the files at hand, and they have to be of the release that rolls out.
    """
    with sigterm_as_ctrl_c():
        asyncio.run(rollout.go_on(settings_of(stack, root()), catalog.crane(), State(outputs_of, freeze_of), typer.echo))


@app.command()
def abort(stack: StackOption) -> None:
    """Put the old versions back, alone."""
    with sigterm_as_ctrl_c():
        asyncio.run(rollout.abort(settings_of(stack, root()), typer.echo))
