"""``crane migrations rehearse``: what the pending migrations would do to the rows of a stack, tried on a copy of them."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.checks.results import Checked, checked_as_json, checked_lines
from crane_infra.cli.clone import root
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.cli.migrations import NOT_SETTLED, DatabaseOption, JsonOption, StackOption
from crane_infra.cli.progress import shown_on
from crane_infra.commands.rehearse_migrations import NOTHING_TO_CHECK, Wish, bound_databases, proof_of, ready_file
from crane_infra.commands.rehearse_migrations import rehearse as try_on_copies
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.config.catalog import Catalog
from crane_infra.data.copy import Limits
from crane_infra.data.trial import Trial
from crane_infra.data.trial_text import trial_as_json, trial_lines
from crane_infra.rehearsal.release_on_copies import Place, check_release, why_impossible
from crane_infra.report.trials import trials_markdown

KeysOption = Annotated[
    bool, typer.Option("--keys", help="Also show the keys of the first rows of each kind. They are values of the database.")
]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="The most rows that may be read of each database.")]
KeepOption = Annotated[Path | None, typer.Option("--keep", help="A folder that keeps the copies. They hold the rows of the stack.")]
SummaryOption = Annotated[Path | None, typer.Option("--summary", help="Also append the result as Markdown to this file.")]
ChecksOption = Annotated[
    bool, typer.Option("--checks/--no-checks", help="Whether to run the checks of the release on the copies afterwards, on a local cloud.")
]
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
    checks: ChecksOption = True,  # noqa: FBT002
) -> None:
    """Try the pending migrations on a copy of the stack's rows. Then the release's checks, where they pass. Nothing is written at Cloudflare.

    Exits 0 if an update would apply them and leave all sound, 3 if it would be refused or fail, leaves something broken or fails a check, 1 on an error.
    """
    for path in filter(None, (summary, outputs_file)):
        path.open("a", encoding="utf-8").close()  # not only after minutes of work
    settings, outputs = settings_and_outputs(stack, root())
    say, declared = _say if as_json else typer.echo, catalog.crane()
    with sigterm_as_ctrl_c(), tempfile.TemporaryDirectory(prefix="crane-") as temporary:
        folder, why_not = Path(temporary), _why_no_checks(declared, database, checks=checks)
        wish = Wish(database, keep or folder, rows, keys, "crane migrations rehearse", None if why_not else folder)
        trials = try_on_copies(settings, declared, outputs, wish, say, shown_on(sys.stderr))
        checked = _not_run(trials, why_not) or check_release(
            Place(root(), folder / "cloud"), settings, declared, {name: ready_file(folder, name) for name in bound_databases(declared)}
        )
    shown = {"stack": stack, "databases": [trial_as_json(trial) for trial in trials], "checks": checked_as_json(checked)}
    lines = [line for trial in trials for line in trial_lines(trial)] + checked_lines(checked)
    typer.echo(json.dumps(shown, indent=2) if as_json else "\n".join(lines))
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(trials_markdown(stack, trials, checked) + "\n")
    if stack == "production" and database is None and (proof := proof_of(settings, declared, outputs, trials, checked)):
        say(f"Rehearsed: {proof}")
        if outputs_file:
            with outputs_file.open("a", encoding="utf-8") as file:
                file.write(f"rehearsed={proof}\n")
    if checked.lacking and settings.require_rehearsal:
        say("Not rehearsed: require-rehearsal needs the checks of the release, on the local cloud")
    if not (checked.passes and all(trial.passes for trial in trials)):
        raise typer.Exit(NOT_SETTLED)


def _why_no_checks(declared: Catalog, database: str | None, *, checks: bool) -> str:
    """Why no check will run, whatever the migrations do; "" where they may."""
    if not checks:
        return "--no-checks says so"
    others = [name for name in bound_databases(declared) if name != database]
    if database and others:
        return f"they need {', '.join(others)} too; leave --database out"
    return why_impossible()


def _not_run(trials: Sequence[Trial], why_not: str) -> Checked | None:
    """That the checks do not run, and why; None where they do."""
    if not all(trial.passes for trial in trials):
        return Checked(not_run="an update would not apply the migrations")
    if not any(trial.pending for trial in trials):
        return NOTHING_TO_CHECK
    return Checked(not_run=why_not, lacking=True) if why_not else None


def _say(line: str) -> None:
    typer.echo(line, err=True)
