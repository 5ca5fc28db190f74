"""``crane migrations lint`` and ``new``: files alone. Only where the folder is not named is Pulumi asked for the settings of the stack."""

import json
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli import migrations_text
from crane_infra.cli.clone import root
from crane_infra.commands.migration_files import accepted_by_all, left_out, lint_folders, new_migration
from crane_infra.config.stackfile import project_name
from crane_infra.migrations.sqlite.engine import VERSION

HAS_ERRORS = 3
FolderOption = Annotated[Path | None, typer.Option("--workers-dir", help="The folder of the workers. Default: the setting of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def lint(
    folder: FolderOption = None,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="Judge only what is pending in this stack.")] = None,
    since: Annotated[str | None, typer.Option(help="Judge the files that this git revision lacks, as one release.")] = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Judge migration files without a database."""
    if stack and folder is None and since is None:
        from crane_infra.cli.migrations_status import judged  # noqa: PLC0415 - files need neither a client nor a ledger

        judgements = judged(stack)
        examined = [file for judgement in judgements for file in judgement.examined]
        # Where the ledger refuses the files themselves, lint's findings are among the refusals.
        refused = [error for judgement in judgements if judgement.refusal and not judgement.examined for error in judgement.refusal.errors]
    else:
        refused = []
        workers_dir = folder or _workers_dir(stack or "staging")
        examined = lint_folders(catalog.crane(), workers_dir, since, accepted_by_all(root(), project_name(root())))
        for database, names in left_out(catalog.crane(), workers_dir).items():
            typer.echo(f"{database}: left out, because they are no migrations: {', '.join(names)}", err=True)
    for error in refused:
        typer.echo(f"error: {error}", err=as_json)
    typer.echo(
        json.dumps({"files": [migrations_text.examined_as_json(file) for file in examined]}, indent=2)
        if as_json
        else migrations_text.lint(examined)
    )
    if refused or any(file.errors for file in examined):
        raise typer.Exit(HAS_ERRORS)


lint.__doc__ = f"""Judge migration files without a database. All of them, those that a revision lacks, or those pending in a stack.

SQLite {VERSION} judges them, within the limits of D1, on every machine alike.

Exits 0 without an error, 3 with one, 1 if the files cannot be read.
"""


def new(
    name: str,
    database: Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")],
    stack: Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")] = "staging",
    folder: FolderOption = None,
) -> None:
    """Create an empty migration with the next free number. Prints its path."""
    typer.echo(str(new_migration(catalog.crane(), folder or _workers_dir(stack), database, name)))


def _workers_dir(stack: str) -> Path:
    from crane_infra.commands.stack import settings_of  # noqa: PLC0415 - only where no folder is named

    return settings_of(stack, root()).workers_dir
