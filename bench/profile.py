"""Where the time of a run goes: processor time and waiting by part, for a preview without changes and for releases of 2 and of 20 workers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from bench import processes, releases
from bench.catalog import write_release
from bench.rows import Row
from local_cloud.faults.client import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from bench.releases import Bench

_MANY = 20
_PROGRAM = "pulumi-language-python-exec"


def where_the_time_goes(folder: Path) -> list[Row]:
    """Profile a preview of two unchanged workers, and releases of 2 and of 20 workers with changed code and one migration each."""
    rows: list[Row] = []
    for count in (2, _MANY):
        with releases.deployed(folder / str(count), count) as bench:
            if count != _MANY:
                bench.pulumi("preview")
                rows += profiled("no-op preview", bench, "preview")
            write_release(bench.workers, count, 2)
            rows += profiled(f"release of {count} workers", bench, "up", "--yes", "--skip-preview")
    return rows


def profiled(what: str, bench: Bench, *words: str) -> list[Row]:
    """Run the engine once, and give the time of each part beside the whole."""
    report = bench.folder / "report.json"
    Faults(bench.running).reset()
    cloud = _cloud(bench.running.pid)
    began = time.perf_counter()
    watched = processes.run(bench.command(*words), {**bench.environ, "BENCH_REPORT": str(report)})
    waited = (time.perf_counter() - began) * 1000
    after = _cloud(bench.running.pid)
    program = json.loads(report.read_text())
    parts = {
        "engine": watched.of("pulumi ") - watched.of(" pulumi "),
        "language host": watched.of("pulumi-language-python ") + watched.of("pip"),
        "Python's start": program["start"],
        "imports": program["imports"],
        "our own code": program["all"] - program["imports"] - program["start"],
        **{f"local cloud: {part}": after[part] - cloud[part] for part in cloud},
    }
    whole = sum(parts.values())
    calls = Faults(bench.running).calls()
    return [
        Row(f"{what}, processor time", whole, "ms"),
        *(Row(f"{what}, processor time: {part}", figure, "ms", whole, "all parts") for part, figure in parts.items()),
        Row(f"{what}, time", waited, "ms"),
        Row(f"{what}, time: before the program", waited - program["waited"], "ms", waited, "the whole run"),
        Row(f"{what}, time: imports", program["imports_waited"], "ms", waited, "the whole run"),
        Row(f"{what}, time: the program's calls to the API", program["calling"], "ms", waited, "the whole run"),
        Row(f"{what}, calls of the program", program["calls"], "calls", len(calls), "all that the API got"),
        Row(f"{what}, calls asked twice", _repeated(calls), "calls", len(calls), "all that the API got"),
    ]


def _repeated(calls: list[dict[str, str]]) -> int:
    """How many GET calls asked what another one of the run had asked before."""
    asked = [call["path"] for call in calls if call["method"] == "GET"]
    return len(asked) - len(set(asked))


def _cloud(pid: int) -> dict[str, float]:
    """The processor milliseconds of the local cloud so far: its server with the stand-in provider, Node, and workerd with all that have ended."""
    every = [process for process in map(processes.read, processes.line(pid)) if process]
    server, node = every[0], next(process for process in every if "main.mjs" in process.command)
    workerds = sum(process.own for process in every if process.pid not in {server.pid, node.pid})
    return {"server and provider": server.own, "Node": node.own, "workerd": workerds + node.ended}
