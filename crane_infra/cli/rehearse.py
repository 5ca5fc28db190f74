"""``crane rehearse``: tells a rehearsal as a story, step by step, with times and a table at the end."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.errors import CraneError
from crane_infra.rehearsal.process import Child
from crane_infra.rehearsal.stage import Stage
from crane_infra.rehearsal.step import Step
from crane_infra.rehearsal.stories import adoption, empty

ExistingOption = Annotated[
    bool, typer.Option("--existing", help="The account as it is today: workers and databases exist and are adopted.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Both accounts at the same time; the existing one is told at the end.")]


def rehearse(existing: ExistingOption = False, everything: AllOption = False) -> None:  # noqa: FBT002 - flags of the command line
    """Rehearse on a local account: an empty one with releases that fail, or the existing one. Ends 0, or names the step that failed."""
    clone = root()
    with _ended_politely():
        if everything:
            _play_both(clone)
        else:
            _play(clone, existing=existing)


def _play(clone: Path, *, existing: bool) -> None:
    stage = Stage(clone, clone / ".crane" / ("rehearsal-existing" if existing else "rehearsal"), catalog.crane())
    console = Console(highlight=False)
    try:
        told = _tell(console, adoption.story(stage) if existing else empty.story(stage))
    finally:
        stage.end()
    console.print(_table(told))


def _play_both(clone: Path) -> None:
    """Each has a folder and a cloud of its own, so they do not meet; the engine keeps one core busy, and there are more."""
    command = "from crane_infra.cli.main import main; main()"
    other = Child([sys.executable, "-c", command, "rehearse", "--existing"], os.environ)
    try:
        _play(clone, existing=False)
        ended = other.wait()
    finally:
        other.end()
    typer.echo(ended.said, nl=False)
    if ended.exit:
        raise typer.Exit(ended.exit)


@contextmanager
def _ended_politely() -> Iterator[None]:
    """A SIGTERM is taken as Ctrl-C is, so that what was started ends as well."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(console: Console, story: list[Step]) -> list[tuple[Step, str, float]]:
    told = []
    for number, step in enumerate(story, start=1):
        console.print(f"[bold]{number}/{len(story)}[/] {step.title} …")
        began = time.monotonic()
        try:
            seen = step.run()
        except CraneError as error:
            raise type(error)(f"step {number}, {step.title}: {error.where}", error.what, error.todo) from None
        took = time.monotonic() - began
        console.print(f"     {seen}", soft_wrap=True, markup=False, end="")
        console.print(f"  [dim]({took:.1f} s)[/]")
        told.append((step, seen, took))
    return told


def _table(told: list[tuple[Step, str, float]]) -> Table:
    table = Table(title="Rehearsal: every step held")
    table.add_column("Step")
    table.add_column("Seconds", justify="right")
    for step, _, took in told:
        table.add_row(step.title, f"{took:.1f}")
    table.add_row("[bold]all[/]", f"[bold]{sum(took for *_, took in told):.1f}[/]")
    return table
