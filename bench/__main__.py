"""``make bench``: run the measurements and print them as a table, or as JSON.

A new measurement is a function that takes an empty folder and returns rows; add it to ``MEASUREMENTS``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench import commands, data, imports, lint, machine, memory, migrations, million, profile, queries, ready, releases, rollback, steady
from crane_infra.cli.interrupts import sigterm_as_ctrl_c

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.rows import Row

MEASUREMENTS: dict[str, Callable[[Path], list[Row]]] = {
    "ready": ready.time_to_ready,
    "latency": queries.latency,
    "at-once": queries.at_once,
    "memory": memory.resident,
    "imports": imports.import_time,
    "lint": lint.growth,
    "migrations": migrations.pending,
    "preview": releases.no_op_preview,
    "release": releases.whole_release,
    "rollback": rollback.rollback,
    "commands": commands.commands,
    "rehearsal": commands.rehearsal,
    "growth": releases.growth,
    "data": data.data,
    "million": million.million,
    "profile": profile.where_the_time_goes,
    "steady": steady.memory_over_releases,
}
USUAL = [name for name in MEASUREMENTS if name not in {"data", "million", "profile", "steady"}]
"""What runs where the command line names nothing."""


def main() -> None:
    """Run the usual measurements, or those that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS], metavar="name", help=f"a measurement: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background; the engine would wait 5 s for its plugins then
    with sigterm_as_ctrl_c():  # the local clouds of a measurement end with it
        rows = [row for name in given.names or USUAL for row in measured(name)]
    about = {"machine": machine.described(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    if given.json:
        measured_rows = [{**asdict(row), "ratio": row.ratio, "missed": row.is_missed} for row in rows]
        json.dump({**about, "rows": measured_rows}, sys.stdout, indent=2)
    else:
        console = Console(width=160)
        console.print(table(rows, f"{about['machine']}, {about['date']}"))
        console.print(verdict(rows))


def measured(name: str) -> list[Row]:
    """Run one measurement in its own temporary folder; its figures go to standard error at once, for who waits for the others."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        rows = MEASUREMENTS[name](Path(folder))
    for row in rows:
        ratio = f", {row.ratio:.2f} x {row.of}" if row.ratio else ""
        sys.stderr.write(f"{row.what}: {row.value:,.1f} {row.unit}{ratio}\n")
    sys.stderr.write(f"{name} took {time.monotonic() - began:.0f} s\n")
    return rows


def table(rows: list[Row], caption: str) -> Table:
    """The rows as a table, with the ratios first."""
    drawn = Table("what", "ratio", "goal", "of", "figure", "floor", caption=caption)
    for row in rows:
        floor = "" if row.floor is None else f"{row.floor:,.1f} {row.unit}"
        ratio = f"{row.ratio:.2f} x" if row.ratio else ""
        drawn.add_row(row.what, ratio, row.shown_goal, row.of, f"{row.value:,.1f} {row.unit}", floor)
    return drawn


def verdict(rows: list[Row]) -> str:
    """Which goals are missed, in one line."""
    goals, missed = [row for row in rows if row.goal], [row.what for row in rows if row.is_missed]
    if not goals:
        return "No goal belongs to these figures."
    return (
        f"Missed {len(missed)} of {len(goals)} goals: {'; '.join(missed)}." if missed else f"Goals reached: {len(goals)} of {len(goals)}."
    )


if __name__ == "__main__":
    main()
