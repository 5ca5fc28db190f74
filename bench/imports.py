"""The import time of a run: the processor time of each part that the program imports, in the order of the imports."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.rows import Row, median

if TYPE_CHECKING:
    from pathlib import Path

# As in __main__.py: without the garbage collector. A module counts where it is first imported.
_PARTS = {
    "pulumi": "Pulumi's own SDK",
    "httpx": "the HTTP client",
    "crane_infra.program.environment": "our own modules, and the rest",
}
_TIMES = 5
_PROGRAM = """
import importlib, json, sys, time
from crane_infra.imports import leave_out_unused, without_collector
leave_out_unused()
took = []
with without_collector():
    for name in sys.argv[1:]:
        began = time.process_time()
        importlib.import_module(name)
        took.append((time.process_time() - began) * 1000)
print(json.dumps(took))
"""


def import_time(_: Path) -> list[Row]:
    """Import everything in a new process, several times, and compare each part with the whole."""
    runs = [_once() for _ in range(_TIMES + 1)][1:]
    whole = median([sum(run) for run in runs])
    return [
        Row(f"import of {what}, processor time", median([run[place] for run in runs]), "ms", whole, "all that a run imports")
        for place, what in enumerate(_PARTS.values())
    ]


def _once() -> list[float]:
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, *_PARTS]
    milliseconds: list[float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    return milliseconds
