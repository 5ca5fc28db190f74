"""``crane migrations baseline``: records an existing database as it is."""

from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import DatabaseArgument, StackOption
from crane_infra.commands.databases import ManagedDatabase, for_each_database
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.drift import SchemaDiffersError


def baseline(
    stack: StackOption,
    database: DatabaseArgument,
    up_to: Annotated[
        str | None, typer.Option(help="The last migration that the database contains, by number or name. Default: all.")
    ] = None,
    accept: Annotated[list[str] | None, typer.Option(help="A difference to accept, such as 'table sessions'; can be repeated.")] = None,
    pending: Annotated[
        list[str] | None, typer.Option(help="A later file that only changes data and has yet to run; can be repeated.")
    ] = None,
) -> None:
    """Baseline an existing database. Compares its schema with the files, then records them and each accepted difference. Runs no migration."""

    async def work(target: ManagedDatabase) -> tuple[str, ...]:
        return await record_baseline(target.db, target.schema, Claim(up_to, accept or (), pending or ()))

    settings, outputs = settings_and_outputs(stack, root())
    try:
        (names,) = for_each_database(settings, catalog.crane(), outputs, database, work)
    except SchemaDiffersError as error:
        typer.echo(error.diff)
        raise
    typer.echo(f"{database}: recorded: {', '.join(names) or 'nothing'}")
