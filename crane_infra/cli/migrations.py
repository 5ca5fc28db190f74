"""``crane migrations``: the migrations of a stack's databases, without Pulumi. Only ``baseline`` and ``apply`` write to a database."""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.clone import root
from crane_infra.commands.migration_files import accepted_by_all, left_out, lint_folders, new_migration
from crane_infra.commands.stack import outputs_of, settings_and_outputs, settings_of
from crane_infra.config.stackfile import project_name
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.drift import Drift, SchemaDiffersError, look_for_drift
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.sqlite.engine import VERSION
from crane_infra.migrations.status import status_of

if TYPE_CHECKING:
    from crane_infra.commands.databases import ManagedDatabase

NOT_SETTLED = 3
T = TypeVar("T")
app = typer.Typer(
    no_args_is_help=True, help="The migrations of a stack's databases. Only apply and baseline write to a database; new writes a file."
)
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog. Default: all databases.")]
DatabaseArgument = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
FolderOption = Annotated[Path | None, typer.Option("--workers-dir", help="The folder of the workers. Default: the setting of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def status(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what is applied and what is pending. Exits 0 if nothing is pending, 3 if something is pending or refused, 1 on an error."""
    judgements = _each(stack, database, _status)
    _show(stack, judgements, migrations_text.status_as_json if as_json else migrations_text.status)
    if not all(judgement.is_settled for judgement in judgements):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def plan(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what an update would apply: class, tables, findings, counts. Exits 0 if it could, 3 if it would be refused, 1 on an error."""
    judgements = _each(stack, database, _status)
    _show(stack, judgements, migrations_text.plan_as_json if as_json else migrations_text.plan)
    if any(judgement.refusal for judgement in judgements):
        raise typer.Exit(NOT_SETTLED)


@app.command(
    help=f"""Judge migration files without a database: all of them, those that a revision lacks, or those pending in a stack.

    SQLite {VERSION} judges them, within the limits of D1, on every machine alike.

    Exits 0 without an error, 3 with one, 1 if the files cannot be read.
    """
)
def lint(
    folder: FolderOption = None,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="Judge only what is pending in this stack.")] = None,
    since: Annotated[str | None, typer.Option(help="Judge the files that this git revision lacks, as one release.")] = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Judge migration files without a database."""
    if stack and folder is None and since is None:
        examined = [file for judgement in _each(stack, None, _status) for file in judgement.examined]
    else:
        workers_dir = folder or settings_of(stack or "staging", root()).workers_dir
        examined = lint_folders(catalog.crane(), workers_dir, since, accepted_by_all(root(), project_name(root())))
        for database, names in left_out(catalog.crane(), workers_dir).items():
            typer.echo(f"{database}: left out, because they are no migrations: {', '.join(names)}", err=True)
    typer.echo(
        json.dumps({"files": [migrations_text.examined_as_json(file) for file in examined]}, indent=2)
        if as_json
        else migrations_text.lint(examined)
    )
    if any(file.errors for file in examined):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def verify(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Compare each live schema with the one that its migrations make. Exits 0 if they match, 3 with a diff if not, 1 on an error."""
    drifts = _each(stack, database, _drift)
    _show(stack, drifts, migrations_text.drift_as_json if as_json else migrations_text.drift)
    if any(drift.objects for drift in drifts):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def apply(stack: StackOption, database: DatabaseOption = None) -> None:
    """Apply pending migrations as an update would; to production only those that staging has proven. Exits 0 if all are applied, else 1."""
    from crane_infra.commands.apply import apply_to  # noqa: PLC0415 - see _each

    settings, outputs = settings_and_outputs(stack, root())
    for line in apply_to(settings, catalog.crane(), lambda name: outputs if name == stack else outputs_of(name), database, typer.echo):
        typer.echo(line)


@app.command()
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
    """Baseline an existing database: compare its schema with the files, then record them and each accepted difference. Runs no migration."""

    async def work(target: "ManagedDatabase") -> tuple[str, ...]:
        return await record_baseline(target.db, target.schema, Claim(up_to, accept or (), pending or ()))

    try:
        (names,) = _each(stack, database, work)
    except SchemaDiffersError as error:
        typer.echo(error.diff)
        raise
    typer.echo(f"{database}: recorded: {', '.join(names) or 'nothing'}")


@app.command()
def new(name: str, database: DatabaseArgument, stack: StackOption = "staging", folder: FolderOption = None) -> None:
    """Create an empty migration with the next free number, and print its path."""
    typer.echo(str(new_migration(catalog.crane(), folder or settings_of(stack, root()).workers_dir, database, name)))


async def _status(database: "ManagedDatabase") -> Judgement:
    return await status_of(database.db, database.schema)


async def _drift(database: "ManagedDatabase") -> Drift:
    return await look_for_drift(database.db, database.schema, await read_ledger(database.db))


def _each(stack: str, only: str | None, work: "Callable[[ManagedDatabase], Awaitable[T]]") -> list[T]:
    """Do something with each database of a stack, all at once."""
    # The HTTP client takes a second to import, and lint of files needs none.
    from crane_infra.commands.databases import for_each_database  # noqa: PLC0415

    settings, outputs = settings_and_outputs(stack, root())
    return for_each_database(settings, catalog.crane(), outputs, only, work)


def _show(stack: str, items: Sequence[T], render: Callable[[T], str | dict[str, Any]]) -> None:
    shown = [render(item) for item in items]
    as_text = all(isinstance(item, str) for item in shown)
    typer.echo("\n".join(map(str, shown)) if as_text else json.dumps({"stack": stack, "databases": shown}, indent=2))
