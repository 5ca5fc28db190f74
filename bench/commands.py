"""The time of the commands that people type, and of the rehearsal of both accounts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rows import Row, at_most, median
from crane_infra import catalog
from crane_infra.rehearsal.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parents[1]
_CRANE = [sys.executable, "-c", "from crane_infra.cli.main import main; main()"]
_TIMES = 5
_LIMITS: dict[tuple[str, ...], float] = {
    ("--help",): 250,
    ("status",): 1500,
    ("verify", "-s", "staging"): 1500,
    ("migrations", "status", "-s", "staging"): 1500,
}


def commands(folder: Path) -> list[Row]:
    """Run each command on a local cloud where both environments run the same release, 5 times after one to warm up."""
    stage = Stage(_ROOT, folder / "stage", catalog.crane())
    try:
        stage.begin()
        stage.up("staging")
        stage.up("production")
        return [_command(words, limit, stage.environ) for words, limit in _LIMITS.items()]
    finally:
        stage.end()


def rehearsal(_: Path) -> list[Row]:
    """Rehearse both accounts, once to warm up and once for the figure."""
    seconds = [_milliseconds(["rehearse", "--all"], None) / 1000 for _ in range(2)]
    return [Row("rehearsal of both accounts", seconds[1], "s", goal=at_most(60, "s"))]


def _command(words: tuple[str, ...], limit: float, environ: Mapping[str, str]) -> Row:
    figures = [_milliseconds(list(words), environ) for _ in range(_TIMES + 1)][1:]
    return Row(f"crane {' '.join(words)}", median(figures), "ms", goal=at_most(limit, "ms"))


def _milliseconds(words: list[str], environ: Mapping[str, str] | None) -> float:
    began = time.perf_counter()
    subprocess.run([*_CRANE, *words], env=None if environ is None else dict(environ), cwd=_ROOT, check=True, capture_output=True)  # noqa: S603
    return (time.perf_counter() - began) * 1000
