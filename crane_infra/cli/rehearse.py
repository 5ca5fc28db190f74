"""``crane rehearse``: tells a rehearsal as a story, step by step, with times and a table at the end."""

import time

from rich.console import Console
from rich.table import Table

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.errors import CraneError
from crane_infra.local.rehearsal import Rehearsal, Step


def rehearse() -> None:
    """Rehearse the whole flow on an empty local account: refused, proven, promoted. Ends 0, or names the step that failed."""
    clone = root()
    rehearsal = Rehearsal(clone, clone / ".crane" / "rehearsal", catalog.crane())
    console = Console(highlight=False)
    try:
        told = _tell(console, rehearsal.story())
    finally:
        rehearsal.end()
    console.print(_table(told))


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
        console.print(f"     {seen}  [dim]({took:.1f} s)[/]", soft_wrap=True)
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
