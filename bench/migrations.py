"""The time to apply 55 pending migrations over a link of 50 ms: ``crane migrations apply`` and ``wrangler d1 migrations apply``.

Both are whole commands against one local cloud, on empty databases with the same files, in turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import Api, client
from bench.rows import Row, median
from crane_infra import catalog
from crane_infra.rehearsal import local_project, project
from local_cloud.faults.client import Faults
from tests.wrangler import Wrangler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ROOT = Path(__file__).parents[1]
_FILES, _ROUNDS, _LINK_SECONDS = 55, 3, 0.05
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

    def by_crane(self, name: str) -> Callable[[], None]:
        """Create a database, and return the command that migrates it."""
        database_id = self._database(name)
        # The command does not use the catalog's second database, but the stack must name it.
        adopted = {known: {"name": name, "adopt": database_id} for known in catalog.crane().databases}
        project.configure(self.here, _STACK, {"databases": adopted})
        command = [str(Path(sys.executable).parent / "crane"), "migrations", "apply", "-s", _STACK, "-d", _DATABASE]
        environ = {**self.environ, "PULUMI_OPTION_CWD": str(self.here.folder)}
        return lambda: _run(command, environ)

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
    finally:
        local_project.end(here)
    what, other = f"{_FILES} pending migrations, 50 ms link", "wrangler d1 migrations apply"
    return [
        Row(f"{what}, crane migrations apply", *_medians(ours, theirs, 0), other),
        Row(f"{what}, calls", *_medians(ours, theirs, 1), other),
    ]


def _medians(ours: list[tuple[float, int]], theirs: list[tuple[float, int]], which: int) -> tuple[float, str, float]:
    """The medians of both, with their unit. The first run of each was the warm-up."""
    mine, other = (median([figure[which] for figure in figures[1:]]) for figures in (ours, theirs))
    return mine, "calls" if which else "ms", other


def _write(folder: Path) -> None:
    """Write small files as people write them: tables, columns, indexes and rows in turn."""
    folder.mkdir(parents=True)
    for number in range(_FILES):
        table = f"t{number // 5}"
        text = (
            f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, note TEXT NOT NULL);",
            f"ALTER TABLE {table} ADD COLUMN at TEXT;",
            f"CREATE INDEX {table}_at ON {table} (at);",
            f"INSERT INTO {table} (note) VALUES ('a');\nINSERT INTO {table} (note) VALUES ('b');",  # noqa: S608 (our own names)
            f"UPDATE {table} SET note = note || '!' WHERE note = 'a';",  # noqa: S608
        )[number % 5]
        (folder / f"{number + 1:04}_step.sql").write_text(f"{text}\n", encoding="utf-8")


def _run(command: list[str], environ: Mapping[str, str]) -> None:
    result = subprocess.run(command, cwd=_ROOT, env=dict(environ), capture_output=True, text=True, check=False)  # noqa: S603 (our own command)
    if result.returncode or f"{_FILES} applied" not in result.stdout:
        raise RuntimeError(f"crane migrations apply failed: {result.stdout[-500:]}{result.stderr[-500:]}")


def _done(result: subprocess.CompletedProcess[str]) -> None:
    if f"{_FILES:04}_step.sql" not in result.stdout:
        raise RuntimeError(f"wrangler d1 migrations apply failed: {result.stdout[-500:]}")
