"""``crane migrations rehearse``: what the pending migrations would do to the rows of a stack, tried on a copy of them."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.migrations import NOT_SETTLED, DatabaseOption, JsonOption, StackOption
from crane_infra.cli.progress import shown_on
from crane_infra.commands.rehearse_migrations import Wish, proof_of
from crane_infra.commands.rehearse_migrations import rehearse as try_on_copies
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.data.copy import Limits
from crane_infra.data.trial_text import trial_as_json, trial_lines
from crane_infra.report.trials import trials_markdown

KeysOption = Annotated[
    bool, typer.Option("--keys", help="Also show the keys of the first rows of each kind. They are values of the database.")
]
RowsOption = Annotated[int, typer.Option("--rows", help="The most rows that may be read of each database.")]
KeepOption = Annotated[Path | None, typer.Option("--keep", help="A folder that keeps the copies. They hold the rows of the stack.")]
SummaryOption = Annotated[Path | None, typer.Option("--summary", help="Also append the result as Markdown to this file.")]
OutputsOption = Annotated[Path | None, typer.Option("--outputs", help="Append rehearsed=… to this file, for require-rehearsal.")]


def rehearse(  # noqa: PLR0913, PLR0917 - the options of a command
    stack: StackOption,
    database: DatabaseOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag of the command line
    keys: KeysOption = False,  # noqa: FBT002
    rows: RowsOption = Limits.rows,
    keep: KeepOption = None,
    summary: SummaryOption = None,
    outputs_file: OutputsOption = None,
) -> None:
    """Try the pending migrations on a copy of the stack's rows; nothing is written at Cloudflare.

    Exits 0 if an update would apply them and leave all sound, 3 if it would be refused or fail, or leaves something broken, 1 on an error.
    """
    settings, outputs = settings_and_outputs(stack, root())
    say = _say if as_json else typer.echo
    with tempfile.TemporaryDirectory(prefix="crane-") as temporary:
        wish = Wish(database, keep or Path(temporary), rows, keys, "crane migrations rehearse")
        trials = try_on_copies(settings, catalog.crane(), outputs, wish, say, shown_on(sys.stderr))
    shown = [trial_as_json(trial) for trial in trials]
    typer.echo(
        json.dumps({"stack": stack, "databases": shown}, indent=2) if as_json else "\n".join(map("\n".join, map(trial_lines, trials)))
    )
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(trials_markdown(stack, trials) + "\n")
    if stack == "production" and database is None and (proof := proof_of(settings, catalog.crane(), outputs, trials)):
        say(f"Rehearsed: {proof}")
        if outputs_file:
            with outputs_file.open("a", encoding="utf-8") as file:
                file.write(f"rehearsed={proof}\n")
    if not all(trial.passes for trial in trials):
        raise typer.Exit(NOT_SETTLED)


def _say(line: str) -> None:
    typer.echo(line, err=True)
