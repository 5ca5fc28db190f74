"""``crane local``: the local cloud, and a Pulumi project that uses it."""

import os
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.errors import RehearsalError
from crane_infra.rehearsal import engine, local_project, project
from crane_infra.rehearsal.existing_account import STRAY, make_existing
from local_cloud import daemon

app = typer.Typer(no_args_is_help=True, help="The local cloud: Workers and D1 on this machine, no account needed.")
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 picks a free one and keeps it.")]
ExistingOption = Annotated[
    bool, typer.Option("--existing", help="Create workers and databases for the stacks to adopt, as in the real account.")
]


@app.command()
def up(port: PortOption = 0, existing: ExistingOption = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Start the local cloud, and make both stacks for it. They stand in a Pulumi project of their own."""
    here = _project()
    was_running = daemon.status(here.cloud) is not None
    local = local_project.begin(here, catalog.crane(), os.environ, port=port, signs=True)
    if existing:
        make_existing(here, local.account, catalog.crane(), local.environ)
    typer.echo(f"The local cloud is {'already ' if was_running else ''}running: {local.cloud.api_url}, account {local.cloud.account_id}")
    then = f"crane adopt -s staging --give-up {STRAY[0]} --write, and pulumi up -s staging" if existing else "pulumi up -s staging"
    typer.echo(f'Next: eval "$(crane local env)", then {then}')


@app.command()
def down() -> None:
    """Stop the local cloud. It keeps its databases and workers for the next start."""
    here = _project()
    was_running = daemon.status(here.cloud) is not None
    local_project.end(here)
    typer.echo("The local cloud stopped." if was_running else "The local cloud is not running.")


@app.command()
def status() -> None:
    """Show whether the local cloud is running; exit code 3 if it is not."""
    running = daemon.status(_project().cloud)
    if running is None:
        typer.echo("The local cloud is not running. Start it with crane local up.")
        raise typer.Exit(3)
    typer.echo(f"The local cloud is running: {running.api_url}, account {running.account_id}, process {running.pid}")


@app.command()
def env() -> None:
    """Print the variables with which pulumi uses the local cloud. For a shell: eval "$(crane local env)"."""
    here = _project()
    running = daemon.status(here.cloud)
    if running is None:
        raise RehearsalError("local cloud", "it is not running", "Start it with crane local up")
    typer.echo(project.shell(engine.exports(here, running, os.environ), engine.foreign(os.environ)))


def _project() -> project.Project:
    clone = root()
    return project.Project(clone, clone / ".crane" / "local")
