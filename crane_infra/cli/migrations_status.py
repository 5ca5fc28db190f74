"""``crane migrations status``: what is applied and what is pending."""

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import NOT_SETTLED, DatabaseOption, JsonOption, StackOption
from crane_infra.commands.databases import ManagedDatabase, for_each_database
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.status import status_of


def status(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what is applied and what is pending. Exits 0 if nothing is pending, 3 if something is pending or refused, 1 on an error."""
    judgements = judged(stack, database)
    render = migrations_text.status_as_json if as_json else migrations_text.status
    typer.echo(migrations_text.listed(stack, map(render, judgements)))
    if not all(judgement.is_settled for judgement in judgements):
        raise typer.Exit(NOT_SETTLED)


def judged(stack: str, database: str | None = None) -> list[Judgement]:
    """The judgement of each database of a stack, or of one of them."""
    settings, outputs = settings_and_outputs(stack, root())
    return for_each_database(settings, catalog.crane(), outputs, database, _status)


async def _status(database: ManagedDatabase) -> Judgement:
    return await status_of(database.db, database.schema)
