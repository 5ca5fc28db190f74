"""Commands ask no more than they need: what is known of a database from the last release spares calls that wait for one another."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crane_infra.commands.apply import State, apply_to
from crane_infra.commands.databases import ManagedDatabase, for_each_database
from crane_infra.config.catalog import Catalog, CatalogDatabase
from crane_infra.config.settings import DatabaseSettings, Settings
from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.ledger import Ledger, head_of
from crane_infra.migrations.status import status_of
from crane_infra.release.manifest import read_release
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.proof import PROOF_SCHEMA
from tests.d1.fixtures import no_waiting
from tests.d1.server import ACCOUNT, DATABASE, NAME, TOKEN, D1Server, running
from tests.migrations.builders import write_files

__all__ = ["no_waiting"]

FILES = {
    "0001_make.sql": "CREATE TABLE t (x TEXT);",
    "0002_widen.sql": "ALTER TABLE t ADD COLUMN y TEXT;",
    "0003_row.sql": "INSERT INTO t (x) VALUES (1);",
}
CATALOG = Catalog(workers={}, databases={"db": CatalogDatabase(migrations="migrations")})


@dataclass(frozen=True)
class Staging:
    """A stack with one database."""

    server: D1Server
    folder: Path

    def apply(self, files: Sequence[str], released: Sequence[str] | None) -> list[str]:
        """Apply these files, the last release having had the others; None: there was no release, and the database is adopted."""
        outputs = StackOutputs() if released is None else self._outputs(released)
        write_files(self.folder / "migrations", {name: FILES[name] for name in files})
        self.server.requests.clear()
        return apply_to(self._settings(adopted=released is None), CATALOG, State(lambda _: outputs, lambda _: None), None, lambda _: None)

    def look(self, look: Callable[[ManagedDatabase], Awaitable[object]], files: Sequence[str], released: Sequence[str]) -> list[object]:
        """What a look at the database says, the last release having had some of these files."""
        outputs = self._outputs(released)
        write_files(self.folder / "migrations", {name: FILES[name] for name in files})
        self.server.requests.clear()
        return for_each_database(self._settings(adopted=False), CATALOG, outputs, None, look)

    @property
    def kinds(self) -> list[str]:
        """The calls, in order; of two at once the first by name."""
        kinds = [kind for kind, _ in self.server.requests]
        return sorted(kinds[:2]) + kinds[2:]

    def _settings(self, *, adopted: bool) -> Settings:
        return Settings(
            environment="staging",
            project="crane-infra",
            organization="organization",
            root=self.folder,
            account_id=ACCOUNT,
            api_token=TOKEN,
            api_url=self.server.base_url,
            workers_dir=self.folder,
            workers_subdomain="s",
            databases={"db": DatabaseSettings(name=NAME, adopt=DATABASE if adopted else None)},
            workers={},
        )

    def _outputs(self, names: Sequence[str]) -> StackOutputs:
        write_files(self.folder / "migrations", {name: FILES[name] for name in names})
        release = read_release(CATALOG, self.folder)
        head = head_of(release.migrations["db"])
        proof = {
            "schema": PROOF_SCHEMA,
            "project": "crane-infra",
            "environment": "staging",
            "account": ACCOUNT,
            "digest": release.digest,
            "manifest": release.manifest,
            "workers": {},
            "databases": {"db": {"id": DATABASE, "name": NAME, "head": {"name": head.name, "count": head.count, "digest": head.digest}}},
            "checks": {},
            "proven_at": datetime.now(UTC).isoformat(),
            "versions": {},
        }
        databases = {"db": {"name": NAME, "id": DATABASE, "adopted": False}}
        return read_outputs({"proofs": [proof], "environment": {"workers": {}, "databases": databases, "secrets": {}}})


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    """An empty database."""
    with running() as server:
        yield Staging(server, tmp_path)


NAMES = tuple(FILES)


def test_a_new_database_is_three_calls_one_after_the_other(staging: Staging) -> None:
    assert staging.apply(NAMES[:2], None) == [f"{NAME}: 2 applied, ledger at {NAMES[1]}"]
    assert staging.kinds == ["bookmark", "read", "write", "write"]


def test_a_database_of_a_release_is_two_calls_one_after_the_other(staging: Staging) -> None:
    staging.apply(NAMES[:2], None)
    assert staging.apply(NAMES, NAMES[:2]) == [f"{NAME}: 1 applied, ledger at {NAMES[2]}"]
    assert staging.kinds == ["bookmark", "read", "write"]
    assert staging.server.sql("SELECT bookmark FROM crane_migrations WHERE name = ?", NAMES[2]) == [("bookmark-2",)]


def test_nothing_pending_since_the_release_is_one_call(staging: Staging) -> None:
    staging.apply(NAMES, None)
    assert staging.apply(NAMES, NAMES) == [f"{NAME}: 0 applied, ledger at {NAMES[2]}"]
    assert staging.kinds == ["read"]


def test_a_database_that_went_on_after_the_release_gets_a_bookmark_of_what_it_is(staging: Staging) -> None:
    staging.apply(NAMES[:2], None)
    assert staging.apply(NAMES, NAMES[:1]) == [f"{NAME}: 1 applied, ledger at {NAMES[2]}"]
    assert staging.kinds == ["bookmark", "read", "bookmark", "write"]


def test_a_database_that_was_taken_back_since_the_release_is_read_as_it_is(staging: Staging) -> None:
    assert staging.apply(NAMES, NAMES[:2]) == [f"{NAME}: 3 applied, ledger at {NAMES[2]}"]
    assert staging.server.names() == list(NAMES)


async def _drift(database: ManagedDatabase) -> object:
    return await look_for_drift(database.db, database.schema, await database.ledger())


LOOKS: dict[str, Callable[[ManagedDatabase], Awaitable[object]]] = {
    "status": lambda database: status_of(database.db, database.schema),
    "ledger": lambda database: database.ledger(),
    "drift": _drift,
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_at_a_database_of_a_release_is_one_call(staging: Staging, name: str) -> None:
    """With its schema and what was accepted, also where files are pending and schemas are compared."""
    staging.apply(NAMES[:2], None)
    staging.look(LOOKS[name], NAMES, NAMES[:2])
    assert staging.kinds == ["read"]


def test_a_look_at_a_database_that_was_taken_back_to_nothing_goes_on_without_its_ledger(staging: Staging) -> None:
    (ledger,) = staging.look(LOOKS["ledger"], NAMES, NAMES[:2])
    assert ledger == Ledger()
