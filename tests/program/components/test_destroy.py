"""Nothing takes a database or a worker away: not destroy, not a replacement, not another name, not an engine that is too old for hooks.

Cases 33 and 24. One story on one local cloud.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.world.copies import fresh_world
from tests.world.engine import SURE, Json, Result
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

FLOOR = Path(__file__).parent / "floor.py"
DATABASES, SCRIPTS = ("crane-context-db-staging", "crane-classifier-db-staging"), ("crane-context-staging", "crane-classifier-staging")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty account."""
    with fresh_world(tmp_path_factory) as world:
        yield world


class TestAnEngineThatIsTooOld:
    def test_is_refused_before_anything_else(self, empty: World) -> None:
        """Before the settings are read too: they are spoilt here, and nothing is said of them."""
        file, settings = empty.project.folder / "Pulumi.yaml", empty.stack_file("staging")
        was = file.read_bytes()
        file.write_text(yaml.safe_dump({**yaml.safe_load(was), "main": os.path.relpath(FLOOR, file.parent)}))
        empty.write_stack_file("staging", {**settings, "config": {**settings["config"], f"{SETTINGS}:unknown": "x"}})
        empty.faults.reset()
        refused = empty.up("staging")
        file.write_bytes(was)
        empty.write_stack_file("staging", settings)
        assert refused.exit != 0
        assert "99.0.0" in refused.output
        assert "unknown" not in refused.output
        assert empty.resources("staging") == set()
        assert empty.changes() == []


@pytest.fixture(scope="module")
def world(empty: World) -> World:
    """Staging has proven a release and has data. One operation at a time: Pulumi's SDK then has the fewest threads."""
    run = empty.up("staging", "--parallel", "1")
    assert run.exit == 0, run.errors
    return empty


def test_an_update_with_one_operation_at_a_time_ends(world: World) -> None:
    """The hooks look up addresses in threads; while resources wait in all of them, no hook could go on."""
    assert len(world.proofs("staging")) == 1


def there(world: World) -> Json:
    """What the account has, with the rows of a table and what answers."""
    return {
        "databases": {one["name"]: one["uuid"] for one in world.api("GET", "/d1/database")["result"]},
        "workers": {one["name"]: one["id"] for one in world.api("GET", "/workers/workers")["result"]},
        "rows": world.rows(DATABASES[0], "SELECT * FROM smoke_writes"),
        "answering": [world.answering(script) for script in SCRIPTS],
    }


@dataclass(frozen=True)
class Tried:
    """Something that would take something away: how it ended, what it asked the API to change, what there was before and after."""

    run: Result
    changes: list[str]
    before: Json
    after: Json

    def refused(self, *words: str) -> None:
        """It failed with these words, and the account is as it was."""
        assert self.run.exit != 0
        for each in words:
            assert each in self.run.output
        assert self.changes == []
        self.nothing_lost()

    def nothing_lost(self) -> None:
        """The account is as it was."""
        assert set(self.before["databases"]) == set(DATABASES)
        assert set(self.before["workers"]) == set(SCRIPTS)
        assert self.before["rows"]
        assert self.before == self.after


def tried(world: World, *words: str) -> Tried:
    """Try it."""
    before = there(world)
    world.faults.reset()
    run = world.engine.run(*words, "--stack", "staging", *SURE, "--suppress-progress")
    changes = world.changes()
    return Tried(run, changes, before, there(world))


class TestDestroy:
    """The engine begins with what nothing depends on: the record of proofs stops it before it comes to a database."""

    def test_is_stopped_by_protect(self, world: World) -> None:
        tried(world, "destroy").refused("Stash::release", "because it is protected")
        assert {"cloudflare:index/d1Database:D1Database", "cloudflare:index/worker:Worker"} < world.resources("staging")
        assert world.folders_named("staging") == set()

    def test_of_one_database_alone_is_stopped_too(self, world: World) -> None:
        tried(world, "destroy", "--target", "**D1Database::crane-context-db", "--target-dependents").refused("because it is protected")

    def test_of_what_is_not_protected_loses_nothing_and_the_next_update_goes_on(self, world: World) -> None:
        found = tried(world, "destroy", "--exclude-protected")
        assert found.run.exit == 0, found.run.output
        found.nothing_lost()
        assert found.changes == []
        assert {"cloudflare:index/d1Database:D1Database", "cloudflare:index/worker:Worker"} < world.resources("staging")
        again = world.up("staging")
        assert again.exit == 0, again.errors


class TestAnUpdateThatWouldLoseADatabase:
    @pytest.mark.parametrize("name", ["D1Database::crane-context-db", "Worker::crane-context"])
    def test_a_replacement_is_stopped_by_protect(self, world: World, name: str) -> None:
        tried(world, "up", "--replace", f"**{name}").refused(
            "unable to replace resource", f'{name}"', "it is currently marked for protection"
        )

    @pytest.mark.parametrize("now", [{"name": "crane-context-db-2"}, None], ids=["renamed", "removed"])
    def test_another_name_or_none_is_refused_by_the_program(self, world: World, now: Json | None) -> None:
        was = world.stack_file("staging")
        settings = world.stack_file("staging")
        databases = settings["config"][f"{SETTINGS}:databases"]
        databases["crane-context-db"] = now
        if now is None:
            del databases["crane-context-db"]
        world.write_stack_file("staging", settings)
        found = tried(world, "up")
        world.write_stack_file("staging", was)
        found.refused("Pulumi.staging.yaml databases.crane-context-db: ")
        assert len(found.run.errors) == 1
