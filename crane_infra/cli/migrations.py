"""``crane migrations``: the migrations of a stack's databases, without Pulumi. Listing never writes."""

import asyncio
import json
import re
from typing import Annotated, Any

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.stack import outputs_of, settings_of
from crane_infra.databases import Managed, managed
from crane_infra.errors import MigrationError
from crane_infra.migrations.baseline import take_on
from crane_infra.migrations.drift import SchemaDiffersError
from crane_infra.migrations.files import MigrationFile, from_empty, read_migrations
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.schema import difference, expected_schema, live_schema
from crane_infra.migrations.status import Status, status_of

NOT_SETTLED = 3
app = typer.Typer(no_args_is_help=True, help="The migrations of a stack's databases. Only baseline writes to one; new writes a file.")
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog; all of them without it.")]
DatabaseArgument = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def status(stack: StackOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Say where each ledger stands and what is pending. Ends 0 if nothing is, 3 if something is pending or refused, 1 if it cannot look."""
    found = asyncio.run(_statuses(stack, database))
    typer.echo(json.dumps({"stack": stack, "databases": [_as_json(one) for one in found]}, indent=2) if as_json else _told(found))
    if not all(one.is_settled for one in found):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def verify(stack: StackOption, database: DatabaseOption = None) -> None:
    """Compare each live schema with the one that its applied migrations make. Ends 0 if they are equal, 3 with a diff if not."""
    found = asyncio.run(_differences(stack, database))
    for name, told in found.items():
        typer.echo(f"{name}: {'its schema is what its migrations make' if not told else 'its schema differs'}\n{told}".rstrip())
    if any(found.values()):
        raise typer.Exit(NOT_SETTLED)


@app.command()
def baseline(
    stack: StackOption,
    database: DatabaseArgument,
    up_to: Annotated[int | None, typer.Option(help="The number of the last migration that the database holds; all without it.")] = None,
    accept: Annotated[list[str] | None, typer.Option(help="A difference that is meant, such as 'table sessions'; may be repeated.")] = None,
) -> None:
    """Take on a database that has its tables and an empty ledger: compare its schema with the files, then record them as done."""
    try:
        names = asyncio.run(_take_on(stack, database, up_to, accept or []))
    except SchemaDiffersError as error:
        typer.echo(error.told.partition("\n")[2])
        raise
    typer.echo(f"{database}: recorded as done: {', '.join(names) or 'nothing'}")


@app.command()
def new(name: str, database: DatabaseArgument, stack: StackOption = "staging") -> None:
    """Make an empty migration with the next free number."""
    settings = settings_of(stack, root())
    declared = catalog.crane().databases.get(database)
    if declared is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        where, what = (
            (f"database {database}", "the catalog has no such database") if declared is None else (name, "it is no name of a migration")
        )
        raise MigrationError(where, what, "Use one of the catalog" if declared is None else "Use letters, digits, - and _")
    folder = settings.workers_dir / declared.migrations
    number = max((file.number for file in read_migrations(folder, str(folder))), default=0) + 1
    path = folder / f"{number:04}_{name}.sql"
    path.write_text(
        "-- Say what this does. `-- crane: expand` or `-- crane: contract` on a line of its own says which kind it is.\n", encoding="utf-8"
    )
    typer.echo(str(path))


async def _statuses(stack: str, database: str | None) -> list[Status]:
    async with managed(settings_of(stack, root()), catalog.crane(), outputs_of(stack), database) as found:
        return list(await asyncio.gather(*(status_of(one.db, one.files, one.base) for one in found)))


async def _differences(stack: str, database: str | None) -> dict[str, str]:
    async with managed(settings_of(stack, root()), catalog.crane(), outputs_of(stack), database) as found:
        return {one.db.name: await _difference(one) for one in found}


async def _difference(one: Managed) -> str:
    ledger = await read_ledger(one.db)
    applied: list[MigrationFile] = [file for file in one.files if ledger.entry(file.name)]
    expected = expected_schema(from_empty(applied, one.base) if ledger.entries or ledger.base else ())
    return difference(expected, await live_schema(one.db))


async def _take_on(stack: str, database: str, up_to: int | None, accept: list[str]) -> tuple[str, ...]:
    async with managed(settings_of(stack, root()), catalog.crane(), outputs_of(stack), database) as (one,):
        return await take_on(one.db, one.files, one.base, up_to, accept)


def _as_json(one: Status) -> dict[str, Any]:
    return {
        "database": one.database,
        "head": one.ledger.head.name,
        "applied": len(one.ledger.entries),
        "pending": [file.name for file in one.plan.pending],
        "taken_over_next": [file.name for file in one.plan.adopt],
        "refusal": None if one.refusal is None else str(one.refusal),
    }


def _told(found: list[Status]) -> str:
    lines = []
    for one in found:
        lines.append(
            f"{one.database}: {len(one.ledger.entries)} applied, up to {one.ledger.head.name or 'none'}; {len(one.plan.pending)} pending"
        )
        lines += [f"  pending  {file.name}{'  (through import)' if file.needs_import else ''}" for file in one.plan.pending]
        lines += [f"  refused  {one.refusal}"] if one.refusal else []
    return "\n".join(lines)
