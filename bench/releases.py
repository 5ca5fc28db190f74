"""The time of a preview without changes, compared with the engine alone; and of a release, compared with wrangler commands in a pipeline."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.catalog import DATE, names, write_release
from bench.machine import CACHE
from bench.rows import Row, median
from crane_infra.rehearsal import engine, project
from local_cloud import daemon
from local_cloud.faults.client import Faults
from tests.wrangler import Wrangler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ROOT = Path(__file__).parents[1]
_LINK_SECONDS, _PREVIEWS, _RELEASES = 0.05, 5, 3
_STACK = "staging"
_NO_UPDATE_CHECK = {"PULUMI_SKIP_UPDATE_CHECK": "1"}
"""Where the engine cannot reach the internet, it would wait for five seconds."""


@dataclass(frozen=True)
class Spent:
    """The time of a run of the engine and its processes, in milliseconds: ``waited`` by the clock, ``processor`` on all processors."""

    waited: float
    processor: float


@dataclass(frozen=True)
class Bench:
    """A local project of some workers, deployed once; wrangler deploys the same workers under other names."""

    folder: Path
    count: int
    running: daemon.Running
    environ: Mapping[str, str]
    wrangler: Wrangler

    @property
    def workers(self) -> Path:
        """The folder of the built workers."""
        return self.folder / "workers"

    def command(self, *words: str) -> list[str]:
        """The engine's command line for the measured stack."""
        return ["pulumi", *words, "--stack", _STACK, "--non-interactive", "--color", "never"]

    def pulumi(self, *words: str) -> Spent:
        """Run the engine. Raises CalledProcessError if it fails."""
        command = self.command(*words)
        began, used = time.perf_counter(), _processor()
        subprocess.run(command, env=dict(self.environ), check=True, capture_output=True, text=True)  # noqa: S603
        return Spent((time.perf_counter() - began) * 1000, (_processor() - used) * 1000)

    def by_wrangler(self) -> None:
        """Migrate and deploy each worker with wrangler, then check its health with curl."""
        for name in names(self.count):
            folder = self.folder / "wrangler" / name
            self.wrangler("d1", "migrations", "apply", "DB", "--remote", cwd=folder)
            self.wrangler("deploy", cwd=folder)
            subprocess.run(["curl", "-fsS", f"{self.running.edge_url}/{name}-wrangler/health"], check=True, capture_output=True)  # noqa: S603, S607


def no_op_preview(folder: Path) -> list[Row]:
    """Preview two workers without a change, and in turn a program with one Stash and no provider."""
    with deployed(folder, 2) as bench:
        floor = _floor(bench)
        pairs = [(bench.pulumi("preview"), floor.pulumi("preview")) for _ in range(_PREVIEWS + 1)][1:]
    what, of = "preview of two unchanged workers", "one Stash, no provider"
    return [
        Row(what, median([ours.waited for ours, _ in pairs]), "ms", median([least.waited for _, least in pairs]), of),
        Row(
            f"{what}, processor time",
            median([ours.processor for ours, _ in pairs]),
            "ms",
            median([least.processor for _, least in pairs]),
            of,
        ),
    ]


def _floor(bench: Bench) -> Bench:
    """The same engine and backend with the smallest program, updated once."""
    folder = bench.folder / "floor"
    (folder / "state").mkdir(parents=True)
    own = {"PULUMI_OPTION_CWD": str(folder), "PULUMI_BACKEND_URL": (folder / "state").as_uri()}
    floor = replace(bench, folder=folder, environ={**bench.environ, **own})
    _write_project(folder, "floor")
    _make_stack(floor, _STACK)
    floor.pulumi("up", "--yes", "--skip-preview")
    return floor


def whole_release(folder: Path) -> list[Row]:
    """Release changed code and one migration for 2 and for 10 workers, with 50 ms on every API call; compare with wrangler."""
    return [_release(folder / str(count), count) for count in (2, 10)]


def _release(folder: Path, count: int) -> Row:
    ours, theirs = [], []
    with deployed(folder, count) as bench, Faults(bench.running).latency(None, _LINK_SECONDS):
        _write_wrangler(bench)
        bench.by_wrangler()
        for release in range(2, 2 + _RELEASES):
            write_release(bench.workers, count, release)
            ours.append(bench.pulumi("up", "--yes", "--skip-preview").waited)
            theirs.append(_milliseconds(bench.by_wrangler))
    return Row(
        f"release of {count} workers, one migration each, 50 ms link", median(ours), "ms", median(theirs), "wrangler and curl, one by one"
    )


@contextlib.contextmanager
def deployed(folder: Path, count: int) -> Iterator[Bench]:
    """Run a local cloud, and deploy this many workers once with the program."""
    folder.mkdir(parents=True, exist_ok=True)
    here = project.Project(_ROOT, folder)
    running = daemon.start(here.cloud, runtime_cache=CACHE)
    try:
        environ = {**engine.environment(here, running, os.environ), "BENCH_WORKERS": str(count), **_NO_UPDATE_CHECK}
        bench = Bench(folder, count, running, environ, Wrangler(running, folder))
        write_release(bench.workers, count, 1)
        _write_project(folder, "program")
        _write_stack(bench)
        here.backend.mkdir(exist_ok=True)
        _make_stack(bench, _STACK)
        project.pulumi(here, environ, "config", "set", "--stack", _STACK, "--secret", "fingerprint-key", "a key for benchmarks")
        bench.pulumi("up", "--yes", "--skip-preview")
        yield bench
    finally:
        daemon.stop(here.cloud)


def _make_stack(bench: Bench, stack: str) -> None:
    project.pulumi(project.Project(_ROOT, bench.folder), bench.environ, "stack", "init", stack, "--secrets-provider", "passphrase")


def _write_project(folder: Path, program: str) -> None:
    runtime = {"name": "python", "options": {"virtualenv": str(_ROOT / ".venv")}}
    main = os.path.relpath(_ROOT / "bench" / program, folder)
    content = {"name": "crane-infra", "runtime": runtime, "main": main, "backend": {"url": (folder / "state").as_uri()}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def _write_stack(bench: Bench) -> None:
    own: dict[str, Any] = {
        "account-id": bench.running.account_id,
        "workers-dir": str(bench.workers),
        "workers-subdomain": "bench",
        "databases": {f"{name}-db": {"name": f"{name}-db"} for name in names(bench.count)},
        "workers": {name: {"url": f"{bench.running.edge_url}/{name}-{_STACK}"} for name in names(bench.count)},
    }
    config = {"cloudflare:baseUrl": bench.running.api_url, **{f"crane-infra:{key}": value for key, value in own.items()}}
    (bench.folder / f"Pulumi.{_STACK}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")


def _write_wrangler(bench: Bench) -> None:
    """Write a folder for each worker, with the same code and migrations and its own database."""
    for name in names(bench.count):
        folder = bench.folder / "wrangler" / name
        folder.mkdir(parents=True)
        database = f"{name}-wrangler-db"
        bench.wrangler("d1", "create", database, cwd=folder)
        bound = {"binding": "DB", "database_name": database, "database_id": _id_of(bench, database)}
        content = {
            "name": f"{name}-wrangler",
            "main": str(bench.workers / name / "dist" / "index.js"),
            "compatibility_date": DATE,
            "workers_dev": True,
            "d1_databases": [{**bound, "migrations_dir": str(bench.workers / name / "migrations")}],
            "version_metadata": {"binding": "CF_VERSION_METADATA"},
        }
        (folder / "wrangler.json").write_text(json.dumps(content), encoding="utf-8")


def _id_of(bench: Bench, database: str) -> str:
    listed: list[dict[str, str]] = json.loads(bench.wrangler("d1", "list", "--json").stdout)
    return next(entry["uuid"] for entry in listed if entry["name"] == database)


def _processor() -> float:
    """The processor seconds of all children that have ended, and of their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _milliseconds(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000
