"""The time of a warm start, until the API, the edge, the admin port and the provider all answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import bare, machine
from bench.rows import Row, at_most, median, timed
from local_cloud import daemon

if TYPE_CHECKING:
    from pathlib import Path

_STARTS = 7


def time_to_ready(folder: Path) -> list[Row]:
    """Start a local cloud on the same folder several times, and bare Miniflare as many times."""
    modules = machine.modules()
    floor = median(timed(lambda: bare.start_and_end(modules), _STARTS))
    waits = [_start(folder / "cloud") for _ in range(_STARTS + 1)]
    return [Row("start until ready, warm", median(waits[1:]), "ms", floor, "bare Miniflare on an empty script", at_most(1000, "ms"))]


def _start(folder: Path) -> float:
    began = time.perf_counter()
    daemon.start(folder, runtime_cache=machine.CACHE)
    waited = (time.perf_counter() - began) * 1000
    daemon.stop(folder)
    return waited
