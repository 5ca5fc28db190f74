"""``crane migrations plan``: what an update would apply."""

import json

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import NOT_SETTLED, DatabaseOption, JsonOption, StackOption
from crane_infra.commands.class_migrations import class_migrations_of
from crane_infra.commands.databases import ManagedDatabase, for_each_database
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.migrations.costs import with_costs
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.status import status_of


def plan(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what an update would apply. Class, tables, findings and counts. Exits 0 if it could, 3 if it would be refused, 1 on an error.

    Without a database it also shows the Durable Object migrations of workers.
    """
    settings, outputs = settings_and_outputs(stack, root())
    judgements = for_each_database(settings, catalog.crane(), outputs, database, _status_with_costs)
    workers = [] if database else class_migrations_of(settings, catalog.crane())
    if as_json:
        databases = [migrations_text.plan_as_json(judgement) for judgement in judgements]
        shown = {"stack": stack, "databases": databases, "workers": [migrations_text.classes_as_json(worker) for worker in workers]}
        typer.echo(json.dumps(shown, indent=2))
    else:
        typer.echo("\n".join([*map(migrations_text.plan, judgements), *map(migrations_text.classes, workers)]))
    if any(judgement.refusal for judgement in judgements) or any(worker.refusal for worker in workers):
        raise typer.Exit(NOT_SETTLED)


async def _status_with_costs(database: ManagedDatabase) -> Judgement:
    return await with_costs(database.db, await status_of(database.db, database.schema))
