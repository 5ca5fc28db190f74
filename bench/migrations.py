"""The time to apply 55 pending migrations over a link of 50 ms: ``crane migrations apply`` and ``wrangler d1 migrations apply``.

Both are whole commands against one local cloud, on empty databases with the same files, in turn.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import Api, client
from bench.rows import Row, at_most, median
from crane_infra import catalog
from crane_infra.rehearsal import local_project, project
from local_cloud.faults.client import Faults
from tests.wrangler import Wrangler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ROOT = Path(__file__).parents[1]
_FILES, _MANY, _ROUNDS, _LINK_SECONDS = 55, 500, 3, 0.05
_DATABASE, _STACK = "crane-context-db", "staging"


@dataclass(frozen=True)
class _Bench:
    here: project.Project
    api: Api
    faults: Faults
    environ: Mapping[str, str]

    @property
    def migrations(self) -> Path:
        """The folder of the migrations."""
        return self.here.folder / "workers" / catalog.crane().databases[_DATABASE].migrations

    def by_crane(self, name: str, files: int = _FILES) -> Callable[[], None]:
        """Create a database, and return the command that applies so many files to it."""
        database_id = self._database(name)
        # The command does not use the catalog's second database, but the stack must name it.
        adopted = {known: {"name": name, "adopt": database_id} for known in catalog.crane().databases}
        project.configure(self.here, _STACK, {"databases": adopted})
        command = [str(Path(sys.executable).parent / "crane"), "migrations", "apply", "-s", _STACK, "-d", _DATABASE]
        environ = {**self.environ, "PULUMI_OPTION_CWD": str(self.here.folder)}
        return lambda: _run(command, environ, files)

    def by_wrangler(self, name: str) -> Callable[[], None]:
        """Create a database, and return the command that migrates it."""
        bound = {"binding": "DB", "database_name": name, "database_id": self._database(name), "migrations_dir": str(self.migrations)}
        home = self.here.folder / name
        home.mkdir()
        content = {"name": "w", "compatibility_date": "2026-01-01", "d1_databases": [bound]}
        (home / "wrangler.json").write_text(json.dumps(content), encoding="utf-8")
        wrangler = Wrangler(self.api.running, home)
        return lambda: _done(wrangler("d1", "migrations", "apply", "DB", "--remote"))

    def timed(self, act: Callable[[], None]) -> tuple[float, int]:
        """The time of an action on a link of 50 ms, in milliseconds, and the number of its calls."""
        self.faults.reset()
        with self.faults.latency(None, _LINK_SECONDS):
            began = time.perf_counter()
            act()
            took = (time.perf_counter() - began) * 1000
        return took, len(self.faults.calls())

    def _database(self, name: str) -> str:
        return str(self.api.result("POST", "/d1/database", {"name": name})["uuid"])


def pending(folder: Path) -> list[Row]:
    """Apply 55 files to new databases, in turn with crane and with wrangler."""
    here = project.Project(_ROOT, folder, folder / "workers")
    try:
        local = local_project.begin(here, catalog.crane(), os.environ)
        with client(local.cloud.token) as http:
            bench = _Bench(here, Api(local.cloud, http), local.faults, local.environ)
            _write(bench.migrations)
            ours, theirs = [], []
            for number in range(_ROUNDS + 1):
                ours.append(bench.timed(bench.by_crane(f"ours-{number}")))
                theirs.append(bench.timed(bench.by_wrangler(f"theirs-{number}")))
            schema_only = _schema_only(bench)
            many = _many(bench)
    finally:
        local_project.end(here)
    what, other = f"{_FILES} pending migrations, 50 ms link", "wrangler d1 migrations apply"
    return [
        Row(f"{what}, crane migrations apply", *_medians(ours, theirs, 0), other, at_most(0.15)),
        Row(f"{what}, calls", *_medians(ours, theirs, 1), other),
        *schema_only,
        *many,
    ]


def _schema_only(bench: _Bench) -> list[Row]:
    """The same number of files, none of which changes data."""
    _write(bench.migrations, _FILES, kinds=3)
    pairs = [(bench.timed(bench.by_crane(f"schema-{n}")), bench.timed(bench.by_wrangler(f"schema-theirs-{n}"))) for n in range(_ROUNDS + 1)]
    ours, theirs = [mine for mine, _ in pairs], [other for _, other in pairs]
    what = f"{_FILES} pending migrations that only change the schema, 50 ms link"
    return [Row(what, *_medians(ours, theirs, 0), "wrangler d1 migrations apply", at_most(0.15))]


def _many(bench: _Bench) -> list[Row]:
    """Many files of all kinds, without the delay of a link."""
    _write(bench.migrations, _MANY)
    figures = []
    for number in range(2):
        act = bench.by_crane(f"many-{number}", _MANY)
        began = time.perf_counter()
        act()
        figures.append((time.perf_counter() - began) * 1000)
    return [Row(f"{_MANY} pending migrations", figures[-1], "ms", goal=at_most(3000, "ms"))]


def _medians(ours: list[tuple[float, int]], theirs: list[tuple[float, int]], which: int) -> tuple[float, str, float]:
    """The medians of both, with their unit. The first run of each was the warm-up."""
    mine, other = (median([figure[which] for figure in figures[1:]]) for figures in (ours, theirs))
    return mine, "calls" if which else "ms", other


def _write(folder: Path, count: int = _FILES, kinds: int = 5) -> None:
    """Write small files as people write them: tables, columns, indexes and, of 5 kinds, rows in turn."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        table = f"t{number // kinds}"
        text = (
            f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, note TEXT NOT NULL);",
            f"ALTER TABLE {table} ADD COLUMN at TEXT;",
            f"CREATE INDEX {table}_at ON {table} (at);",
            f"INSERT INTO {table} (note) VALUES ('a');\nINSERT INTO {table} (note) VALUES ('b');",  # noqa: S608 (our own names)
            f"UPDATE {table} SET note = note || '!' WHERE note = 'a';",  # noqa: S608
        )[number % kinds]
        (folder / f"{number + 1:04}_step.sql").write_text(f"{text}\n", encoding="utf-8")


def _run(command: list[str], environ: Mapping[str, str], files: int) -> None:
    result = subprocess.run(command, cwd=_ROOT, env=dict(environ), capture_output=True, text=True, check=False)  # noqa: S603 (our own command)
    if result.returncode or f"{files} applied" not in result.stdout:
        raise RuntimeError(f"crane migrations apply failed: {result.stdout[-500:]}{result.stderr[-500:]}")


def _done(result: subprocess.CompletedProcess[str]) -> None:
    if f"{_FILES:04}_step.sql" not in result.stdout:
        raise RuntimeError(f"wrangler d1 migrations apply failed: {result.stdout[-500:]}")
