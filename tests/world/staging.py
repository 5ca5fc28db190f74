"""Staging of a world that was never deployed, whose databases a test makes itself: folders get in through ``crane migrations``."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import command_line
from tests.repository import ROOT
from tests.world.world import World
from tests.wrangler import Wrangler

CONTEXT, CLASSIFIER = "crane-context-db", "crane-classifier-db"
WORKERS = {CONTEXT: "crane-context", CLASSIFIER: "crane-classifier"}
Files = Mapping[str, str]
Write = Callable[[Path], None]


@dataclass(frozen=True)
class Staging:
    """Staging of a world that was never deployed, whose databases a test makes itself."""

    world: World
    home: Path

    def begin(self, name: str, write: Write) -> None:
        """Make a database anew, and give it this folder."""
        shutil.rmtree(self.folder(name))
        write(self.folder(name))
        for known in self.world.api("GET", f"/d1/database?name={name}-staging")["result"]:
            self.world.api("DELETE", f"/d1/database/{known['uuid']}")
        made = self.world.api("POST", "/d1/database", {"name": f"{name}-staging"})["result"]["uuid"]
        content = self.world.stack_file("staging")
        content["config"]["crane-infra:databases"][name] = {"name": f"{name}-staging", "adopt": made}
        self.world.write_stack_file("staging", content)

    def folder(self, name: str) -> Path:
        """The folder of a database's migrations."""
        return self.world.workers / WORKERS[name] / "migrations"

    def crane(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``crane migrations`` on staging."""
        environ = {**self.world.engine.environ, "PULUMI_OPTION_CWD": str(self.world.project.folder)}
        return command_line.crane("migrations", *words, "-s", "staging", environ=environ, cwd=ROOT)

    def bind(self, name: str) -> None:
        """Write the wrangler.json that binds a database as DB."""
        adopted = self.world.stack_file("staging")["config"]["crane-infra:databases"][name]["adopt"]
        folder = str(self.folder(name))
        bound = {"binding": "DB", "database_name": f"{name}-staging", "database_id": adopted, "migrations_dir": folder}
        if any(self.folder(name).glob("*/migration.sql")):
            bound["migrations_pattern"] = f"{folder}/{{*.sql,*/migration.sql}}"
        (self.home / "wrangler.json").write_text(json.dumps({"name": "w", "compatibility_date": "2026-01-01", "d1_databases": [bound]}))

    def wrangler(self, name: str, verb: str) -> str:
        """Let wrangler list or apply the migrations of a database."""
        self.bind(name)
        return Wrangler(self.world.cloud, self.home)("d1", "migrations", verb, "DB", "--remote", cwd=self.home).stdout

    def names(self, name: str) -> list[str]:
        """What wrangler's table lists, in the order in which it came."""
        return [row["name"] for row in self.world.rows(f"{name}-staging", "SELECT name FROM d1_migrations ORDER BY id")]


def written(files: Files) -> Write:
    """What writes these files into a folder."""

    def write(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    return write


def copied(source: Path) -> Write:
    """What makes a folder a copy of this one."""

    def write(folder: Path) -> None:
        shutil.copytree(source, folder)

    return write
