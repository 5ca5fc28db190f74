"""An adoption that changes its mind before anything was proven loses no database."""

from collections.abc import Iterator

import pytest

from tests.world.copies import fresh_world
from tests.world.engine import Result
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str, list[Result]]]:
    """A database that was there before is adopted, let go and adopted again, while no release passes; then one does."""
    with fresh_world(tmp_path_factory) as world:
        ident = str(world.api("POST", "/d1/database", {"name": "crane-context-db-staging"})["result"]["uuid"])
        runs = []
        for adopt in (True, False, True):
            content = world.stack_file("staging")
            database = {"name": "crane-context-db-staging"} | ({"adopt": ident} if adopt else {})
            content["config"][f"{SETTINGS}:databases"]["crane-context-db"] = database
            world.write_stack_file("staging", content)
            world.faults.reset()
            world.faults.fail("POST /accounts/{a}/workers/workers/{id}/versions", times=100, status=403)
            runs.append(world.up("staging"))
        world.faults.reset()
        # Only an update that passes deletes what it replaced.
        runs.append(world.up("staging"))
        yield world, ident, runs


class TestAnAdoptionThatChangesItsMind:
    def test_never_deletes_the_database(self, undecided: tuple[World, str, list[Result]]) -> None:
        world, ident, runs = undecided
        assert [run.exit == 0 for run in runs] == [False, False, False, True], runs[-1].errors
        assert ident in [one["uuid"] for one in world.api("GET", "/d1/database")["result"]]
        assert not [change for change in world.changes() if change.startswith("DELETE")]
