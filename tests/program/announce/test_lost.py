"""The state of a stack is lost: everything is there at Cloudflare, and the next run takes it over, applies nothing twice, and proves anew."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE = "crane-context-db-staging"


@dataclass(frozen=True)
class Lost:
    """What there was, how the first run without a state ended, and the one after the ids were named."""

    before: Json
    refused: Result
    adopted: Result
    after: Json


def there(world: World) -> Json:
    """What the account has: ids by name, and the ledger."""
    found = {
        one["name"]: one.get("uuid") or one["id"]
        for what in ("/d1/database", "/workers/workers")
        for one in world.api("GET", what)["result"]
    }
    return {**found, "ledger": [row["name"] for row in world.rows(DATABASE, "SELECT name FROM d1_migrations ORDER BY id")]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging is deployed, with a passphrase: ``pulumi stack init`` alone takes a new stack for one with a passphrase."""
    with proven_world(tmp_path_factory) as made:
        made.take_passphrase("staging")
        yield made


@pytest.fixture(scope="module")
def lost(world: World) -> Lost:
    """The way of the runbook: a new stack of the same name, the same stack file, the ids named in it."""
    before = there(world)
    world.engine.well("stack", "rm", "staging", "--force", "--yes", "--preserve-config")
    world.engine.well("stack", "init", "staging")
    refused = world.up("staging")
    content = world.stack_file("staging")
    for name, database in content["config"][f"{SETTINGS}:databases"].items():
        database["adopt"] = before[f"{name}-staging"]
    for worker in content["config"][f"{SETTINGS}:workers"].values():
        worker["adopt"] = True
    world.write_stack_file("staging", content)
    return Lost(before, refused, world.up("staging"), there(world))


class TestALostState:
    def test_makes_no_second_database_or_worker(self, lost: Lost) -> None:
        assert lost.refused.exit != 0
        assert "already exists" in lost.refused.output

    def test_is_made_anew_from_what_is_there(self, lost: Lost) -> None:
        assert lost.adopted.exit == 0, lost.adopted.output
        assert lost.after == lost.before

    def test_leaves_the_secrets_of_the_stack_file_as_they_were_and_ends_with_a_proof(self, world: World, lost: Lost) -> None:
        assert lost.adopted.exit == 0
        assert world.secrets("staging")["CRANE_ADMIN_KEY"]
        assert len(world.proofs("staging")) == 1
