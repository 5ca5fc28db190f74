"""``crane rehearse``: runs a rehearsal step by step, and prints each result, its time, and a table at the end."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from crane_infra import catalog
from crane_infra.alone import alone
from crane_infra.cli.clone import root
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.errors import CraneError, RehearsalError
from crane_infra.rehearsal.process import Child
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories import adoption, empty

ExistingOption = Annotated[
    bool, typer.Option("--existing", help="Start from the account as it is today: workers and databases exist and are adopted.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Rehearse both accounts at the same time; print the existing one at the end.")]


def rehearse(existing: ExistingOption = False, everything: AllOption = False) -> None:  # noqa: FBT002 - flags of the command line
    """Rehearse the whole flow on a local account: an empty one, or the account as it is today.

    The exit code is 0 if every step holds; if not, the error names the step.
    """
    clone = root()
    with sigterm_as_ctrl_c():
        if everything:
            _rehearse_both(clone)
        else:
            _rehearse(clone, existing=existing)


def _rehearse(clone: Path, *, existing: bool) -> None:
    stage = Stage(clone, clone / ".crane" / ("rehearsal-existing" if existing else "rehearsal"), catalog.crane())
    console = Console(highlight=False)
    todo = "Let that one end, then run the same command again"
    with alone(stage.folder.with_suffix(".lock"), RehearsalError("rehearsal", "another one of this account runs in this clone", todo)):
        try:
            results = _run_steps(console, adoption.story(stage) if existing else empty.story(stage))
            page = stage.write_page()
        finally:
            stage.end()
    console.print(_table(results))
    console.print(f"What was just played, as a page: {page}", soft_wrap=True, markup=False)


def _rehearse_both(clone: Path) -> None:
    """Both at once: each has its own folder and cloud, and keeps about one core busy."""
    command = "from crane_infra.cli.main import main; main()"
    other = Child([sys.executable, "-c", command, "rehearse", "--existing"], os.environ)
    try:
        _rehearse(clone, existing=False)
        result = other.wait()
    finally:
        other.end()
    typer.echo(result.output, nl=False)
    if result.exit:
        raise typer.Exit(result.exit)


def _run_steps(console: Console, story: list[StoryStep]) -> list[tuple[StoryStep, float]]:
    results = []
    for number, step in enumerate(story, start=1):
        console.print(f"[bold]{number}/{len(story)}[/] {step.title} …")
        began = time.monotonic()
        try:
            summary = step.run()
        except CraneError as error:
            raise type(error)(f"step {number}, {step.title}: {error.where}", error.what, error.todo) from None
        took = time.monotonic() - began
        console.print(f"     {summary}", soft_wrap=True, markup=False, end="")
        console.print(f"  [dim]({took:.1f} s)[/]")
        results.append((step, took))
    return results


def _table(results: list[tuple[StoryStep, float]]) -> Table:
    table = Table(title="Rehearsal: every step held")
    table.add_column("Step")
    table.add_column("Seconds", justify="right")
    for step, took in results:
        table.add_row(step.title, f"{took:.1f}")
    table.add_row("[bold]all[/]", f"[bold]{sum(took for _, took in results):.1f}[/]")
    return table
