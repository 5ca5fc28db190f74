"""``crane migrations``: the migrations of a stack's databases, beside Pulumi. Listing never writes; only ``baseline`` and ``apply`` do."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.clone import root
from crane_infra.commands.apply import apply_to
from crane_infra.commands.databases import Managed, managed
from crane_infra.commands.migration_files import accepted_by_all, lint_folders, new_migration
from crane_infra.commands.stack import outputs_of, settings_and_outputs, settings_of
from crane_infra.config.stackfile import project_name
from crane_infra.migrations.baseline import record_baseline
from crane_infra.migrations.drift import Drift, SchemaDiffersError, look_for_drift
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.status import status_of

NOT_SETTLED = 3
app = typer.Typer(
    no_args_is_help=True, help="The migrations of a stack's databases. Only apply and baseline write to one; new writes a file."
)
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog; all of them without it.")]
DatabaseArgument = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
FolderOption = Annotated[Path | None, typer.Option("--workers-dir", help="Where the workers are; without it, as the stack sets it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def status(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Say where each ledger stands and what is pending. Ends 0 if nothing is, 3 if something is pending or refused, 1 if it cannot look."""
    found = _each(stack, database, _status)
    _show(stack, found, migrations_text.status_as_json if as_json else migrations_text.status)
    if not all(one.is_settled for one in found):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def plan(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Say what a run would apply: class, tables, findings, counts. Ends 0 if it could, 3 if it would be refused, 1 if it cannot look."""
    found = _each(stack, database, _status)
    _show(stack, found, migrations_text.plan_as_json if as_json else migrations_text.plan)
    if any(one.refusal for one in found):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def lint(
    folder: FolderOption = None,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="Judge what is pending there, and nothing else.")] = None,
    since: Annotated[str | None, typer.Option(help="Judge the files that this git revision does not have, as one release.")] = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Judge migration files, without a database: all of them, or those after a revision; or with a stack, those pending there.

    Ends 0 without an error, 3 with one, 1 if the files cannot be read.
    """
    if stack and folder is None and since is None:
        examined = [one for found in _each(stack, None, _status) for one in found.examined]
    else:
        workers_dir = folder or settings_of(stack or "staging", root()).workers_dir
        examined = lint_folders(catalog.crane(), workers_dir, since, accepted_by_all(root(), project_name(root())))
    typer.echo(
        json.dumps({"files": [migrations_text.examined_as_json(one) for one in examined]}, indent=2)
        if as_json
        else migrations_text.lint(examined)
    )
    if any(one.errors for one in examined):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def verify(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Compare each live schema with the one that its applied migrations make. Ends 0 if they are equal, 3 with a diff if not."""
    found = _each(stack, database, _drift)
    _show(stack, found, migrations_text.drift_as_json if as_json else migrations_text.drift)
    if any(one.objects for one in found):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def apply(stack: StackOption, database: DatabaseOption = None) -> None:
    """Apply what is pending, as an update would; to production only what staging has proven. Ends 0 if all is applied, 1 if not."""
    settings, outputs = settings_and_outputs(stack, root())
    work = apply_to(settings, catalog.crane(), lambda one: outputs if one == stack else outputs_of(one), database, typer.echo)
    for line in asyncio.run(work):
        typer.echo(line)


@app.command()
def baseline(
    stack: StackOption,
    database: DatabaseArgument,
    up_to: Annotated[int | None, typer.Option(help="The number of the last migration that the database holds; all without it.")] = None,
    accept: Annotated[list[str] | None, typer.Option(help="A difference that is meant, such as 'table sessions'; may be repeated.")] = None,
) -> None:
    """Take on a database as it is: compare its schema with the files, then record them, and each accepted difference. Runs no migration."""

    async def work(one: Managed) -> tuple[str, ...]:
        return await record_baseline(one.db, one.schema, up_to, accept or [])

    try:
        (names,) = _each(stack, database, work)
    except SchemaDiffersError as error:
        typer.echo(error.diff)
        raise
    typer.echo(f"{database}: recorded: {', '.join(names) or 'nothing'}")


@app.command()
def new(name: str, database: DatabaseArgument, stack: StackOption = "staging", folder: FolderOption = None) -> None:
    """Make an empty migration with the next free number, and print its path."""
    typer.echo(str(new_migration(catalog.crane(), folder or settings_of(stack, root()).workers_dir, database, name)))


async def _status(one: Managed) -> Judgement:
    return await status_of(one.db, one.schema)


async def _drift(one: Managed) -> Drift:
    return await look_for_drift(one.db, one.schema, await read_ledger(one.db))


def _each(stack: str, database: str | None, work: Callable[[Managed], Any]) -> list[Any]:
    """Do something with each database of a stack, side by side."""
    settings, outputs = settings_and_outputs(stack, root())

    async def every() -> list[Any]:
        async with managed(settings, catalog.crane(), outputs, database) as found:
            return list(await asyncio.gather(*map(work, found)))

    return asyncio.run(every())


def _show(stack: str, found: Sequence[Any], tell: Callable[[Any], str | dict[str, Any]]) -> None:
    shown = [tell(one) for one in found]
    as_text = all(isinstance(one, str) for one in shown)
    typer.echo("\n".join(map(str, shown)) if as_text else json.dumps({"stack": stack, "databases": shown}, indent=2))
