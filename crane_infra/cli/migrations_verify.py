"""``crane migrations verify``: each live schema, compared with its migrations."""

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import NOT_SETTLED, DatabaseOption, JsonOption, StackOption
from crane_infra.commands.databases import ManagedDatabase, for_each_database
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.migrations.drift import Drift, look_for_drift


def verify(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Compare each live schema with its migrations. Exits 0 if they match, 3 with a diff if not, 1 on an error."""
    settings, outputs = settings_and_outputs(stack, root())
    drifts = for_each_database(settings, catalog.crane(), outputs, database, _drift)
    typer.echo(migrations_text.listed(stack, map(migrations_text.drift_as_json if as_json else migrations_text.drift, drifts)))
    if any(drift.objects for drift in drifts):
        raise typer.Exit(NOT_SETTLED)


async def _drift(database: ManagedDatabase) -> Drift:
    return await look_for_drift(database.db, database.schema, await database.ledger())
