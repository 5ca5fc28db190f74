"""Whatever stops the migrations of staging, nothing is proven, the version before serves, and production stays closed.

Cases 2, 5, 6, 8, 11 and 19 once more, as updates of the real engine: one story on one local cloud, whose last update converges.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_cloud.faults.model import Error, FewerResults, Reply, Then
from tests.migrations.faults.target import QUERY
from tests.world.copies import fresh_world
from tests.world.engine import Result
from tests.world.world import World, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPT, DATABASE = "crane-context-staging", "crane-context-db-staging"
FIRST, SQL = "INSERT INTO tally VALUES ('0101')", "INSERT INTO tally VALUES ('0102')"
FAULTS: dict[str, tuple[Then, int, str]] = {
    "a rate limit of ten minutes": (Error(429, 971, "slow down", {"retry-after": "600"}), 1, "and asks to wait 600 s"),
    "pages in place of answers": (Reply(502, "<html></html>", {"content-type": "text/html"}), 99, "status 502"),
    "a statement that is not answered for": (FewerResults(1), 1, "the reply says success, but"),
}


@dataclass(frozen=True)
class Story:
    """A world whose staging has proven a release, with one more migration to come; ``applies``: which call of /query applies it."""

    world: World
    applies: int


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two releases with one migration each: the second shows where among the calls of an update a migration is applied."""
    with fresh_world(tmp_path_factory) as made:
        write(made, "0100", "CREATE TABLE tally (ran TEXT NOT NULL)")
        well(made.up("staging"))
        write(made, "0101", FIRST)
        made.faults.reset()
        well(made.up("staging"))
        applied = min(one.number for one in made.faults.seen(FIRST) if one.part == "request body")
        applies = sum(call["route"] == QUERY for call in made.faults.calls() if call["number"] <= applied)
        write(made, "0102", SQL)
        yield Story(made, applies)


def write(world: World, number: str, sql: str) -> None:
    """One more migration of crane-context."""
    folder(world).joinpath(f"{number}_tally.sql").write_text(f"{sql};\n", encoding="utf-8")


def well(run: Result) -> None:
    """A run that has to succeed."""
    assert run.exit == 0, run.output


def folder(world: World) -> Path:
    """The migrations of crane-context."""
    return world.workers / "crane-context" / "migrations"


def refused(world: World, words: str) -> None:
    """Staging's update fails and says so in one line; nothing is proven, and production is closed."""
    proofs, answering = world.proofs("staging"), world.answering(SCRIPT)
    run = world.up("staging")
    assert run.exit != 0
    assert any(words in line for line in run.errors), run.output
    assert "Traceback" not in run.output
    assert (world.proofs("staging"), world.answering(SCRIPT)) == (proofs, answering)
    production = world.up("production")
    assert production.exit != 0
    assert production.errors[0].startswith("production gate closed: ")


def test_an_applied_file_that_was_edited(story: Story) -> None:
    """Case 11."""
    world = story.world
    with edited(folder(world) / "0100_tally.sql", "NOT NULL);\n", "NOT NULL);\r\n"):
        refused(world, "0100_tally.sql: edited after it was applied to")


def test_a_schema_that_was_changed_by_hand(story: Story) -> None:
    """Case 19."""
    world = story.world
    world.rows(DATABASE, "CREATE INDEX by_hand ON tally (ran)")
    refused(world, "its schema differs from the one that its migrations make (index by_hand), so nothing was applied")
    world.rows(DATABASE, "DROP INDEX by_hand")


@pytest.mark.parametrize("how", FAULTS)
def test_a_database_that_does_not_answer_as_it_should(story: Story, how: str) -> None:
    """Cases 5, 6 and 8."""
    then, times, words = FAULTS[how]
    with story.world.faults.fault(QUERY, then, nth=story.applies, times=times) as fault:
        refused(story.world, words)
    assert fault.fired


def test_a_file_that_is_started_and_not_done_stops_the_next_run_too_and_what_is_finished_by_hand_is_proven(story: Story) -> None:
    """Cases 2 and 8: after the story above, every statement has run once."""
    world = story.world
    refused(world, "0102_tally.sql: started in")
    world.rows(DATABASE, "UPDATE crane_migrations SET done_at = CURRENT_TIMESTAMP WHERE name = '0102_tally.sql'")
    well(world.up("staging"))
    assert world.proofs("staging")[0]["databases"]["crane-context-db"]["head"]["name"] == "0102_tally.sql"
    assert world.rows(DATABASE, "SELECT ran FROM tally") == [{"ran": "0101"}, {"ran": "0102"}]
    assert world.faults.executed(SQL) == 1
