"""The time of a preview without changes, compared with the engine alone; and of a release, compared with wrangler commands in a pipeline."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.catalog import DATE, names, write_release
from bench.machine import CACHE
from bench.rows import Row, at_most, median
from crane_infra.rehearsal import engine, project
from local_cloud import daemon
from local_cloud.faults.client import Faults
from tests.wrangler import Wrangler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ROOT = Path(__file__).parents[1]
_LINK_SECONDS, _PREVIEWS, _RELEASES = 0.05, 5, 2
_MANY_WORKERS, _MANY_MIGRATIONS = 50, 500
_LARGE_WORKERS, _LARGE_BYTES = 10, 1_000_000
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

    def by_wrangler(self, at_once: int = 1) -> None:
        """Migrate and deploy each worker with wrangler, then check its health with curl: ``at_once`` workers at a time, as a CI matrix does."""
        with ThreadPoolExecutor(at_once) as workers:
            list(workers.map(self._by_wrangler, names(self.count)))

    def _by_wrangler(self, name: str) -> None:
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
        Row(what, median([ours.waited for ours, _ in pairs]), "ms", median([least.waited for _, least in pairs]), of, at_most(2)),
        Row(
            f"{what}, processor time",
            median([ours.processor for ours, _ in pairs]),
            "ms",
            median([least.processor for _, least in pairs]),
            of,
            at_most(2),
        ),
    ]


def _floor(bench: Bench, workers: int = 0) -> Bench:
    """The same engine and backend with the smallest program, updated once; with as many resources as so many workers."""
    folder = bench.folder / "floor"
    (folder / "state").mkdir(parents=True)
    own = {"PULUMI_OPTION_CWD": str(folder), "PULUMI_BACKEND_URL": (folder / "state").as_uri(), "BENCH_FLOOR_WORKERS": str(workers)}
    floor = replace(bench, folder=folder, environ={**bench.environ, **own})
    _write_project(folder, "floor")
    _make_stack(floor, _STACK)
    floor.pulumi("up", "--yes", "--skip-preview")
    return floor


def growth(folder: Path) -> list[Row]:
    """Preview 50 workers as long as 2, and 500 applied migrations as 5, without a change; processor time tells more on a busy machine."""
    few = _unchanged(folder / "workers-2", 2, 1)
    with deployed(folder / f"workers-{_MANY_WORKERS}", _MANY_WORKERS) as bench:
        floor = _floor(bench, _MANY_WORKERS)
        pairs = [(bench.pulumi("preview"), floor.pulumi("preview")) for _ in range(_PREVIEWS)][1:]
    many, least = (_median_of([pair[side] for pair in pairs]) for side in (0, 1))
    short, long = (_unchanged(folder / f"migrations-{count}", 2, count) for count in (5, _MANY_MIGRATIONS))
    what = f"preview of {_MANY_WORKERS} unchanged workers and databases"
    return [
        *_grown(what, many, few, "2 of each", 2),
        *_grown(what, many, least, "as many Stashes and components, no provider", 2),
        *_grown(f"preview of {_MANY_MIGRATIONS} applied migrations in 2 databases", long, short, "5 applied migrations", 1.3),
    ]


def _unchanged(folder: Path, count: int, migrations: int) -> Spent:
    with deployed(folder, count, migrations) as bench:
        return _median_of([bench.pulumi("preview") for _ in range(_PREVIEWS)][1:])


def _median_of(spent: list[Spent]) -> Spent:
    return Spent(median([each.waited for each in spent]), median([each.processor for each in spent]))


def _grown(what: str, many: Spent, few: Spent, of: str, limit: float) -> list[Row]:
    return [
        Row(what, many.waited, "ms", few.waited, of, at_most(limit)),
        Row(f"{what}, processor time", many.processor, "ms", few.processor, of, at_most(limit)),
    ]


def whole_release(folder: Path) -> list[Row]:
    """Release changed code and one migration for 2, for 20 and for 10 large workers, with 50 ms on every API call; compare with wrangler."""
    small = [row for count, limit in ((2, 0.5), (20, 0.15)) for row in _release(folder / str(count), count, limit)]
    return [*small, *_release(folder / "large", _LARGE_WORKERS, 0.3, _LARGE_BYTES)]


def _release(folder: Path, count: int, limit: float, padding: int = 0) -> list[Row]:
    ours, one_by_one, at_once = [], [], []
    with deployed(folder, count, padding=padding) as bench, Faults(bench.running).latency(None, _LINK_SECONDS):
        _write_wrangler(bench)
        bench.by_wrangler(at_once=count)
        for release in range(2, 2 + _RELEASES):
            write_release(bench.workers, count, 2 * release, padding)
            ours.append(bench.pulumi("up", "--yes", "--skip-preview").waited)
            one_by_one.append(_milliseconds(bench.by_wrangler))
            write_release(bench.workers, count, 2 * release + 1, padding)
            at_once.append(_milliseconds(lambda: bench.by_wrangler(at_once=count)))
    size = f" of {padding // 1_000_000} MB" if padding else ""
    what = f"release of {count} workers{size}, one migration each, 50 ms link"
    return [
        Row(what, median(ours), "ms", median(one_by_one), "wrangler and curl, one by one", at_most(limit)),
        Row(what, median(ours), "ms", median(at_once), "wrangler and curl, all workers at once", at_most(1)),
    ]


@contextlib.contextmanager
def deployed(folder: Path, count: int, migrations: int = 1, padding: int = 0) -> Iterator[Bench]:
    """Run a local cloud, and deploy this many workers once with the program, each with so many migrations."""
    folder.mkdir(parents=True, exist_ok=True)
    here = project.Project(_ROOT, folder)
    running = daemon.start(here.cloud, runtime_cache=CACHE, program=_ROOT / "bench" / "program")
    try:
        environ = {**engine.environment(here, running, os.environ), "BENCH_WORKERS": str(count), **_NO_UPDATE_CHECK}
        bench = Bench(folder, count, running, environ, Wrangler(running, folder))
        for release in range(1, migrations + 1):
            write_release(bench.workers, count, release, padding)
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
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(_ROOT / ".venv")}}
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
