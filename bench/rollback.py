"""The time from typing ``crane rollback`` to the old versions answering, compared with ``wrangler rollback`` for each worker."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bench.rows import Row, median
from crane_infra import catalog
from crane_infra.rehearsal.stage import Stage
from tests.wrangler import Wrangler

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).parents[1]
_TIMES, _PATIENCE = 5, 120.0
_CRANE = [sys.executable, "-c", "from crane_infra.cli.main import main; main()"]
Json = dict[str, Any]


def rollback(folder: Path) -> list[Row]:
    """Put the reference workers of production back to the release before, by turns with crane and with wrangler; after one to warm up."""
    stage = Stage(_ROOT, folder / "stage", catalog.crane())
    try:
        new, old = _two_releases(stage)
        home = folder / "home"
        home.mkdir()
        pairs = [_pair(stage, Wrangler(stage.running, home), new, old) for _ in range(_TIMES + 1)][1:]
    finally:
        stage.end()
    what, of = "rollback of two workers, until both old versions answer", "wrangler rollback for each"
    return [Row(what, median([ours for ours, _ in pairs]), "ms", median([theirs for _, theirs in pairs]), of)]


def _two_releases(stage: Stage) -> list[Json]:
    """Production after two releases, each with other code of both workers: their proofs, the newer one first."""
    stage.begin()
    for release in range(2):
        for name in stage.catalog.workers:
            code = stage.files.folder / name / "dist" / "index.js"
            code.write_text(f"{code.read_text(encoding='utf-8')}\n// release {release}\n", encoding="utf-8")
        stage.up("staging")
        stage.up("production")
    return stage.proofs("production")


def _pair(stage: Stage, wrangler: Wrangler, new: Json, old: Json) -> tuple[float, float]:
    ours = _until(stage, old, lambda: _crane(stage, old))
    _until(stage, new, lambda: _crane(stage, new))
    theirs = _until(stage, old, lambda: _by_wrangler(wrangler, old))
    _until(stage, new, lambda: _crane(stage, new))
    return ours, theirs


def _until(stage: Stage, proof: Json, act: Callable[[], None]) -> float:
    """The milliseconds until all versions of a proof answer, counted from the start of what puts them back."""
    began = time.perf_counter()
    act()
    with httpx.Client(trust_env=False, timeout=60) as client:
        while not all(_answers(client, stage, name, worker["version"]) for name, worker in proof["workers"].items()):
            if time.perf_counter() - began > _PATIENCE:
                message = "the versions do not answer"
                raise TimeoutError(message)
    return (time.perf_counter() - began) * 1000


def _answers(client: httpx.Client, stage: Stage, script: str, version: str) -> bool:
    return version in client.get(f"{stage.running.edge_url}/{script}/version").text


def _crane(stage: Stage, proof: Json) -> None:
    """The whole command, with its checks at the end."""
    command = [*_CRANE, "rollback", proof["digest"], "-s", "production", "--yes"]
    subprocess.run(command, env=dict(stage.environ), cwd=_ROOT, check=True, capture_output=True)  # noqa: S603


def _by_wrangler(wrangler: Wrangler, proof: Json) -> None:
    for script, worker in proof["workers"].items():
        wrangler("rollback", worker["version"], "--name", script, "--message", "measured", "--yes")
