"""A first run that is killed while it creates something leaves it pending; the next run says how to adopt it, and with that goes on."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_cloud.faults.model import CommitThenHold
from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.started import started, until
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

ADOPTS = re.compile(r"adopt it: (pulumi config set .+?), then run the same command again\.")
CREATE_DATABASE, CREATE_WORKER = "POST /accounts/{a}/d1/database", "POST /accounts/{a}/workers/workers"


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


@dataclass(frozen=True)
class Pending:
    """A first run that was killed while it created databases and workers: what was pending, and how the runs after it ended."""

    pending: list[str]
    refused: Result
    adopted: Result
    cleared: Result
    pending_after: list[str]
    again: Result
    made: Json
    made_after: Json


@pytest.fixture(scope="module")
def pending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pending]:
    """The cloud has created both, and the engine does not know."""
    with fresh_world(tmp_path_factory) as world:
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
        refused = world.up("staging")
        for command in dict.fromkeys(ADOPTS.findall(refused.output)):
            world.engine.well(*shlex.split(command)[1:])
        adopted = world.up("staging")
        cleared = world.engine.run("refresh", "--stack", "staging", "--yes", "--skip-preview", "--clear-pending-creates")
        yield Pending(before, refused, adopted, cleared, saved(world), world.up("staging", "--expect-no-changes"), ids, made(world))


def made(world: World) -> Json:
    """The ids of what the account has, by name."""
    return {
        one["name"]: one.get("uuid") or one["id"]
        for what in ("/d1/database", "/workers/workers")
        for one in world.api("GET", what)["result"]
    }


def saved(world: World) -> list[str]:
    """What the state calls pending."""
    state = json.loads(world.state_file("staging").read_text(encoding="utf-8"))
    operations = (state["checkpoint"]["latest"] or {}).get("pending_operations") or []
    return sorted(f"{one['type']} {one['resource']['inputs']['name']}" for one in operations)


class TestARunThatIsKilledWhileItCreates:
    def test_leaves_pending_creates(self, pending: Pending) -> None:
        assert pending.pending == [f"creating {name}" for name in sorted(pending.made)]
        assert len(pending.pending) == 4

    def test_is_followed_by_one_that_makes_no_second_one_and_says_what_is_pending(self, pending: Pending) -> None:
        assert pending.refused.exit != 0
        assert "already exists" in pending.refused.output
        assert pending.refused.output.count("interrupted while creating") >= len(pending.pending)

    def test_is_gone_on_with_once_what_it_created_is_adopted_as_the_refusal_says(self, pending: Pending) -> None:
        well(pending.adopted)
        assert pending.made_after == pending.made

    def test_is_forgotten_with_a_refresh_that_clears_pending_creates(self, pending: Pending) -> None:
        well(pending.cleared)
        assert pending.pending_after == []
        assert "interrupted while creating" not in well(pending.again).output
