"""A first run that is killed while it creates something leaves it pending; once that is adopted, the next run goes on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_cloud.faults.model import CommitThenHold
from tests.world.engine import Json, Result
from tests.world.started import started, until
from tests.world.world import SETTINGS, World, local_world

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

CREATE_DATABASE, CREATE_WORKER = "POST /accounts/{a}/d1/database", "POST /accounts/{a}/workers/workers"


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


@dataclass(frozen=True)
class Pending:
    """A first run that was killed while it created a database and a worker: what was pending, and how the runs after it ended."""

    pending: list[str]
    refused: Result
    cleared: Result
    pending_after: list[str]
    adopted: Result
    made: Json
    made_after: Json


@pytest.fixture(scope="module")
def pending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pending]:
    """The cloud has created both, and the engine does not know."""
    with local_world(tmp_path_factory.mktemp("pending")) as world:
        with (
            world.faults.fault(CREATE_DATABASE, CommitThenHold(), times=2) as databases,
            world.faults.fault(CREATE_WORKER, CommitThenHold(), times=2) as workers,
            started(world, "staging") as run,
        ):
            until(lambda: databases.fired == workers.fired == 2, "the creates")
            until(lambda: len(made(world)) == len(saved(world)) == 4, "what is created")
            run.kill()
        before, ids = saved(world), made(world)
        well(world.engine.run("cancel", "--yes", "--stack", "staging"))
        with world.faults.behaviour(provider_pause_factor=0):  # a name that is taken is answered with 409, which the provider tries again
            refused = world.up("staging")
        cleared = world.engine.run("refresh", "--stack", "staging", "--yes", "--skip-preview", "--clear-pending-creates")
        after = saved(world)
        adopt(world, ids)
        yield Pending(before, refused, cleared, after, world.up("staging"), ids, made(world))


def made(world: World) -> Json:
    """The ids of what the account has, by name."""
    return {
        one["name"]: one.get("uuid") or one["id"]
        for what in ("/d1/database", "/workers/workers")
        for one in world.api("GET", what)["result"]
    }


def saved(world: World) -> list[str]:
    """What the state calls pending."""
    operations = json.loads(world.state("staging"))["deployment"].get("pending_operations") or []
    return sorted(f"{one['type']} {one['resource']['inputs']['name']}" for one in operations)


def adopt(world: World, ids: Json) -> None:
    """Name in the stack file what the killed run created."""
    content = world.stack_file("staging")
    config = content["config"]
    for name, database in config[f"{SETTINGS}:databases"].items():
        database["adopt"] = ids[f"{name}-staging"]
    for worker in config[f"{SETTINGS}:workers"].values():
        worker["adopt"] = True
    world.write_stack_file("staging", content)


class TestARunThatIsKilledWhileItCreates:
    def test_leaves_pending_creates(self, pending: Pending) -> None:
        assert pending.pending == [f"creating {name}" for name in sorted(pending.made)]
        assert len(pending.pending) == 4

    def test_is_followed_by_one_that_makes_no_second_one_and_says_what_is_pending(self, pending: Pending) -> None:
        assert pending.refused.exit != 0
        assert "already exists" in pending.refused.output
        assert pending.refused.output.count("interrupted while creating") >= len(pending.pending)

    def test_is_cleared_by_a_refresh(self, pending: Pending) -> None:
        well(pending.cleared)
        assert pending.pending_after == []

    def test_is_gone_on_with_once_what_it_created_is_adopted(self, pending: Pending) -> None:
        well(pending.adopted)
        assert pending.made_after == pending.made
