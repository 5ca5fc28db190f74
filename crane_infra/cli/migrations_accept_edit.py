"""``crane migrations accept-edit``: accepts edits of applied files that change no meaning."""

from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import DatabaseArgument, StackOption
from crane_infra.commands.accept_edit import accept_edits_of
from crane_infra.commands.stack import outputs_of, settings_and_outputs


def accept_edit(
    stack: StackOption,
    database: DatabaseArgument,
    before: Annotated[
        Path | None, typer.Option(help="A folder with the files as they were applied. Default: the history of this clone.")
    ] = None,
) -> None:
    """Accept edits of applied files that change no meaning. Schema and rows have to be as before; to production only those that staging has accepted."""
    settings, outputs = settings_and_outputs(stack, root())
    names = accept_edits_of(settings, catalog.crane(), lambda name: outputs if name == stack else outputs_of(name), database, before)
    typer.echo(f"{database}: accepted: {', '.join(names) or 'nothing, no applied file was edited'}")
