"""One database of the local cloud that is migrated under faults, and the checks that every case ends with."""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crane_infra.d1.client import D1
from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, read_migrations
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.sqlite.schema import differences, expected_schema, live_schema
from crane_infra.migrations.status import status_of
from local_cloud.faults.client import Faults
from tests.cloud import Api
from tests.migrations.builders import SHOWN, write_files
from tests.wrangler import Wrangler

ROUNDS = int(os.environ.get("CRANE_SOAK_ROUNDS", "5"))
NAME = "crane-test-db-staging"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
BOOKMARK = "GET /accounts/{a}/d1/database/{id}/time_travel/bookmark"
IMPORT, UPLOAD = "POST /accounts/{a}/d1/database/{id}/import", "PUT /d1-files/{uuid}/{name}"
THREE = {
    "0001_make.sql": "CREATE TABLE t (x TEXT);",
    "0002_fill.sql": "INSERT INTO t VALUES ('a-b'); INSERT INTO t VALUES ('c'); -- two rows",
    "0010_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;",
}
NAMES = tuple(THREE)
Files = tuple[MigrationFile, ...]
Agreed = dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]]
"""What wrangler calls pending, by the names in the folder and those in its table."""


@dataclass(frozen=True)
class Places:
    """Which call of /query makes the ledger's tables, and which applies the first pending file: on an empty database, and later.

    The other files follow the first, one call for each.
    """

    tables: int
    on_empty: int
    later: int


@dataclass
class Target:
    """A database, a folder of migrations, and runs that are told how long to wait but do not wait."""

    api: Api
    faults: Faults
    wrangler: Wrangler
    id: str
    db: D1
    folder: Path
    agreed: Agreed = field(repr=False)
    log: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def files(self, content: Mapping[str, str | bytes] = THREE) -> Files:
        """Make the folder hold exactly these files."""
        return write_files(self.folder, content)

    def read(self) -> Files:
        """The files of the folder, as it is."""
        return read_migrations(self.folder, SHOWN)

    def run(self, files: Sequence[MigrationFile], **more: Any) -> Awaitable[Outcome]:  # noqa: ANN401 (as SchemaFiles has them)
        """Run the migrations as one update does."""
        return migrate(self.db, SchemaFiles(tuple(files), **more), release="release-1", log=self.log.append, pause=self._pause)

    def rows(self, sql: str) -> list[dict[str, object]]:
        """Ask the database, as somebody else."""
        return self.api.query(self.id, sql)[-1]

    @property
    def listed(self) -> tuple[str, ...]:
        """The names in wrangler's table, in the order in which they came."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE name = 'd1_migrations'")
        return tuple(str(row["name"]) for row in self.rows("SELECT name FROM d1_migrations ORDER BY id")) if tables else ()

    def calls(self, route: str) -> int:
        """How often a route was called since the faults were reset."""
        return sum(call["route"] == route for call in self.faults.calls())

    def place(self, text: str) -> int:
        """Which call of /query since the faults were reset was the first with this text."""
        (number, *_) = sorted(sighting.number for sighting in self.faults.seen(text) if sighting.part == "request body")
        return sum(call["route"] == QUERY for call in self.faults.calls() if call["number"] <= number)

    async def holds(self, files: Sequence[MigrationFile], applied: Sequence[str], *, wrangler: bool = True) -> None:
        """The checks of every case: these files are done and no others, the schema is theirs, nothing ran twice, wrangler agrees."""
        found = await status_of(self.db, SchemaFiles(tuple(files)))
        done = [entry.name for entry in found.ledger.entries if entry.settled]
        assert (sorted(done), sorted(self.listed)) == (sorted(applied), sorted(applied))
        present = [file for file in files if file.name in applied]
        assert differences(expected_schema(present), await live_schema(self.db)) == []
        self.ran_once(files, applied)
        if wrangler:
            self._agrees(files, found)

    def ran_once(self, files: Sequence[MigrationFile], applied: Sequence[str]) -> None:
        """Every statement of these files was executed as often as the applied ones have it."""
        due = Counter(statement for file in files if file.name in applied for statement in file.statements)
        for statement in {statement for file in files for statement in file.statements}:
            assert (statement, self.faults.executed(statement, self.id)) == (statement, due[statement])

    async def agrees(self, files: Sequence[MigrationFile]) -> None:
        """Wrangler lists as pending what our ledger does not list, which is what we call pending, where nothing is refused.

        What wrangler says depends on the names in its table and in the folder alone, so it is asked once for each such pair.
        """
        self._agrees(files, await status_of(self.db, SchemaFiles(tuple(files))))

    def _agrees(self, files: Sequence[MigrationFile], found: Judgement) -> None:
        names, listed = tuple(file.name for file in files), self.listed
        if (names, listed) not in self.agreed:
            self.agreed[names, listed] = self.pending_for_wrangler()
        assert sorted(self.agreed[names, listed]) == sorted(set(names) - set(listed))
        if found.refusal is None:
            assert sorted(self.agreed[names, listed]) == sorted(file.name for file in found.plan.pending)

    def pending_for_wrangler(self) -> tuple[str, ...]:
        """Ask wrangler what is pending."""
        output = self.by_wrangler("list").stdout
        rows = (line.strip().strip("│").strip() for line in output.splitlines() if line.lstrip().startswith("│"))
        names = tuple(row for row in rows if row.endswith(".sql"))
        assert bool(names) != ("No migrations to apply" in output), output
        return names

    def by_wrangler(self, verb: str, *, check: bool = True) -> Any:  # noqa: ANN401 (what a process did)
        """Let wrangler list or apply the migrations of the folder."""
        bound = {"binding": "DB", "database_name": self.name, "database_id": self.id, "migrations_dir": "migrations"}
        if any(path.is_dir() for path in self.folder.iterdir()):
            bound["migrations_pattern"] = "migrations/{*.sql,*/migration.sql}"
        home = self.folder.parent
        (home / "wrangler.json").write_text(json.dumps({"name": "w", "compatibility_date": "2026-01-01", "d1_databases": [bound]}))
        return self.wrangler("d1", "migrations", verb, "DB", "--remote", cwd=home, check=check)

    @property
    def name(self) -> str:
        """The database's name."""
        return self.db.name

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
