"""``make bench``: run the measurements and print them as a table, or as JSON.

A new measurement is a function that takes an empty folder and returns rows; add it to ``MEASUREMENTS``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench import imports, lint, machine, memory, migrations, profile, queries, ready, releases, rollback

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
    "profile": profile.where_the_time_goes,
}


def main() -> None:
    """Run all measurements, or those that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS], metavar="name", help=f"a measurement: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    rows = [row for name in given.names or MEASUREMENTS for row in measured(MEASUREMENTS[name])]
    about = {"machine": machine.described(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    if given.json:
        json.dump({**about, "rows": [{**asdict(row), "ratio": row.ratio} for row in rows]}, sys.stdout, indent=2)
    else:
        Console(width=140).print(table(rows, f"{about['machine']}, {about['date']}"))


def measured(measure: Callable[[Path], list[Row]]) -> list[Row]:
    """Run one measurement in its own temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        return measure(Path(folder))


def table(rows: list[Row], caption: str) -> Table:
    """The rows as a table, with the ratios first."""
    drawn = Table("what", "ratio", "of", "figure", "floor", caption=caption)
    for row in rows:
        floor = "" if row.floor is None else f"{row.floor:,.1f} {row.unit}"
        drawn.add_row(row.what, f"{row.ratio:.1f} x" if row.ratio else "", row.of, f"{row.value:,.1f} {row.unit}", floor)
    return drawn


if __name__ == "__main__":
    main()
