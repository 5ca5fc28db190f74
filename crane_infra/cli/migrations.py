"""``crane migrations``: the migrations of a stack's databases, without Pulumi. Only ``apply``, ``baseline`` and ``accept-edit`` write to one.

What works on files alone is in ``migration_files``.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.asked import asked
from crane_infra.cli.clone import root
from crane_infra.commands.stack import outputs_of
from crane_infra.migrations.baseline import Claim, record_baseline
from crane_infra.migrations.costs import with_costs
from crane_infra.migrations.drift import Drift, SchemaDiffersError, look_for_drift
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.status import status_of

if TYPE_CHECKING:
    from crane_infra.commands.databases import ManagedDatabase

NOT_SETTLED = 3
T = TypeVar("T")
app = typer.Typer(
    no_args_is_help=True,
    help="The migrations of a stack's databases. Only apply, baseline and accept-edit write to a database; new writes a file.",
)
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog. Default: all databases.")]
DatabaseArgument = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def status(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what is applied and what is pending. Exits 0 if nothing is pending, 3 if something is pending or refused, 1 on an error."""
    judgements = judged(stack, database)
    _show(stack, judgements, migrations_text.status_as_json if as_json else migrations_text.status)
    if not all(judgement.is_settled for judgement in judgements):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def plan(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Show what an update would apply. Class, tables, findings and counts. Exits 0 if it could, 3 if it would be refused, 1 on an error.

    Without a database it also shows the Durable Object migrations of workers.
    """
    with asked(stack, root()) as answer:
        from crane_infra.commands.class_migrations import class_migrations_of  # noqa: PLC0415 - see asked
        from crane_infra.commands.databases import for_each_database  # noqa: PLC0415

    settings, outputs = answer.result()
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


@app.command()
def verify(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Compare each live schema with its migrations. Exits 0 if they match, 3 with a diff if not, 1 on an error."""
    drifts = _each(stack, database, _drift)
    _show(stack, drifts, migrations_text.drift_as_json if as_json else migrations_text.drift)
    if any(drift.objects for drift in drifts):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def apply(stack: StackOption, database: DatabaseOption = None) -> None:
    """Apply pending migrations as an update would. To production only those that staging has proven. Exits 0 if all are applied, else 1."""
    with asked(stack, root()) as answer:
        from crane_infra.commands.apply import State, apply_to  # noqa: PLC0415 - see asked
        from crane_infra.commands.freeze import freeze_of  # noqa: PLC0415

    settings, outputs = answer.result()
    state = State(lambda name: outputs if name == stack else outputs_of(name), freeze_of)
    for line in apply_to(settings, catalog.crane(), state, database, typer.echo):
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
    """Baseline an existing database. Compares its schema with the files, then records them and each accepted difference. Runs no migration."""

    async def work(target: "ManagedDatabase") -> tuple[str, ...]:
        return await record_baseline(target.db, target.schema, Claim(up_to, accept or (), pending or ()))

    try:
        (names,) = _each(stack, database, work)
    except SchemaDiffersError as error:
        typer.echo(error.diff)
        raise
    typer.echo(f"{database}: recorded: {', '.join(names) or 'nothing'}")


@app.command(name="accept-edit")
def accept_edit(
    stack: StackOption,
    database: DatabaseArgument,
    before: Annotated[
        Path | None, typer.Option(help="A folder with the files as they were applied. Default: the history of this clone.")
    ] = None,
) -> None:
    """Accept edits of applied files that change no meaning. Schema and rows have to be as before; to production only those that staging has accepted."""
    with asked(stack, root()) as answer:
        from crane_infra.commands.accept_edit import accept_edits_of  # noqa: PLC0415 - see asked

    settings, outputs = answer.result()
    names = accept_edits_of(settings, catalog.crane(), lambda name: outputs if name == stack else outputs_of(name), database, before)
    typer.echo(f"{database}: accepted: {', '.join(names) or 'nothing, no applied file was edited'}")


def judged(stack: str, database: str | None = None) -> list[Judgement]:
    """The judgement of each database of a stack, or of one of them."""
    return _each(stack, database, _status)


async def _status(database: "ManagedDatabase") -> Judgement:
    return await status_of(database.db, database.schema)


async def _status_with_costs(database: "ManagedDatabase") -> Judgement:
    return await with_costs(database.db, await _status(database))


async def _drift(database: "ManagedDatabase") -> Drift:
    return await look_for_drift(database.db, database.schema, await read_ledger(database.db))


def _each(stack: str, only: str | None, work: "Callable[[ManagedDatabase], Awaitable[T]]") -> list[T]:
    """Do something with each database of a stack, all at once."""
    with asked(stack, root()) as answer:
        from crane_infra.commands.databases import for_each_database  # noqa: PLC0415 - see asked

    settings, outputs = answer.result()
    return for_each_database(settings, catalog.crane(), outputs, only, work)


def _show(stack: str, items: Sequence[T], render: Callable[[T], str | dict[str, Any]]) -> None:
    shown = [render(item) for item in items]
    as_text = all(isinstance(item, str) for item in shown)
    typer.echo("\n".join(map(str, shown)) if as_text else json.dumps({"stack": stack, "databases": shown}, indent=2))
