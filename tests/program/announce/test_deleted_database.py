"""A database that somebody deleted: never called unchanged, never created empty without a word; the advice of each refusal is followed to the end."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from crane_infra.rehearsal.asking_client import Answers, Question, asking
from tests.world.copies import promoted_world
from tests.world.engine import Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE = "crane-context-db-staging"
PATIENCE = 60.0


def id_of(world: World) -> str | None:
    """The id of the database, if there is one of its name."""
    listed = world.api("GET", "/d1/database")["result"]
    return next((str(database["uuid"]) for database in listed if database["name"] == DATABASE), None)


def follow(world: World, advice: str) -> None:
    """Run the commands of an error, from the first ``pulumi`` up to the next sentence."""
    for command in re.findall(r"pulumi (?:config set|refresh) .+?(?=, then|\. |$)", advice):
        words = shlex.split(command)[1:]
        world.engine.well(*words, *(["--yes"] if words[0] == "refresh" else []))


@dataclass(frozen=True)
class Deleted:
    """Staging's runs after its database was deleted."""

    id: str
    closed: Result
    refused: Result
    not_refreshed: Result
    created: Result
    again: Result
    answers: Answers
    """What production's users got until the database was there again."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging proven and promoted."""
    with promoted_world(tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def deleted(world: World) -> Deleted:
    """The database is deleted; then everything that the errors say is done, one after the other. A client asks production."""
    was = id_of(world)
    assert was
    with asking(Question(f"{world.cloud.edge_url}/crane-context/version", steady=False), pause=0.1) as traffic:
        world.api("DELETE", f"/d1/database/{was}")
        closed, refused = world.up("production"), world.up("staging")
        (line,) = refused.errors
        follow(world, line.partition(", then pulumi refresh")[0])
        not_refreshed = world.up("staging")
        follow(world, line.partition("recreate")[2].partition(", then ")[2])
        created, again = world.up("staging"), world.up("staging")
        assert traffic.asked_again(PATIENCE)
    return Deleted(was, closed, refused, not_refreshed, created, again, traffic.phase())


class TestADeletedDatabase:
    def test_is_no_unchanged_one(self, deleted: Deleted) -> None:
        (line,) = deleted.refused.errors
        assert line.startswith(
            f"database {DATABASE}: {deleted.id} was deleted at Cloudflare, with all its rows. To start with an empty one on purpose: "
        )
        assert deleted.refused.exit != 0

    def test_closes_the_gate_and_production_goes_on_as_it_was(self, world: World, deleted: Deleted) -> None:
        (line,) = deleted.closed.errors
        assert line.startswith("production gate closed: staging has changed since its proof: ")
        (body,) = deleted.answers.versions
        assert deleted.answers.wrong == []
        assert world.proofs("production")[0]["workers"]["crane-context"]["version"] in body

    def test_is_not_created_while_the_state_still_has_it(self, deleted: Deleted) -> None:
        assert (
            f"Pulumi's state still has {deleted.id}, which recreate gives up. Run pulumi refresh -s staging" in deleted.not_refreshed.output
        )
        assert deleted.not_refreshed.exit != 0

    def test_gets_an_empty_successor_with_all_migrations_once_that_is_meant(self, world: World, deleted: Deleted) -> None:
        assert deleted.created.exit == 0, deleted.created.output
        new = id_of(world)
        assert new not in {None, deleted.id}
        newest = world.proofs("staging")[0]
        assert newest["databases"]["crane-context-db"]["id"] == new
        assert len(world.rows(DATABASE, "SELECT name FROM d1_migrations")) == newest["databases"]["crane-context-db"]["head"]["count"]

    def test_needs_nothing_more_afterwards(self, deleted: Deleted) -> None:
        assert deleted.again.exit == 0, deleted.again.output
        assert re.findall(r"\d+ (?:created|updated|replaced|deleted)", deleted.again.output) == []
