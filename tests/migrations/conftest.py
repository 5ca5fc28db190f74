"""Fixtures of the migrations' tests: a database over HTTP, and a runner that never waits."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crane_infra.d1.client import D1
from crane_infra.migrations.apply import Outcome, migrate
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.lint.finding import Finding
from tests.d1.fixtures import db, no_waiting, server
from tests.migrations.builders import write_files
from tests.migrations.lint.linting import USERS, Lint, findings

__all__ = ["db", "no_waiting", "server"]


@dataclass
class Runner:
    """Runs migrations, and keeps what was logged and how long it would have waited."""

    db: D1
    log: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    on_pause: Callable[[], object] = lambda: None

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.on_pause()

    def __call__(self, files: Sequence[MigrationFile], *, out_of_order: bool = False) -> Awaitable[Outcome]:
        schema = SchemaFiles(tuple(files), out_of_order=out_of_order)
        return migrate(self.db, schema, release="release-1", log=self.log.append, pause=self.pause)


@pytest.fixture
def run(db: D1) -> Runner:
    """A run of the migrations, as one `pulumi up` starts it."""
    return Runner(db)


@pytest.fixture
def three(tmp_path: Path) -> tuple[MigrationFile, ...]:
    """Three files that make a table, write to it and change it: run twice, each of them would fail or be seen."""
    return write_files(
        tmp_path / "three",
        {
            "0001_make.sql": "CREATE TABLE t (x TEXT);",
            "0002_fill.sql": "-- two rows\nINSERT INTO t VALUES ('a-b'); INSERT INTO t VALUES ('c');",
            "0010_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;",
        },
    )


@pytest.fixture
def judge(tmp_path: Path) -> Lint:
    """Lint files given by their text; ``before`` is what the database has."""

    def judge(*pending: str, before: str = USERS) -> tuple[Finding, ...]:
        names = {f"{number:04}_f.sql": text for number, text in enumerate((before, *pending), 1)}
        files = write_files(tmp_path / "files", names)
        return findings(files, files[1:])

    return judge
