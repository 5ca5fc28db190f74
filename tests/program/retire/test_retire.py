"""A worker or database that the catalog no longer has is let go by one command, and stays at Cloudflare; a renamed one keeps its rows.

One story on one local cloud, on the real engine.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.program.retire.catalog_after import NEW_NAME, OLD_NAME
from tests.program.retire.place import CLASSIFIER, ITS_DATABASE, Ended, adopt_renamed, crane, database, retired, there, use_smaller_catalog
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE = database("staging")


def seen(world: World) -> Json:
    """What the account has, the rows of a table, and what answers."""
    rows = world.rows(DATABASE, "SELECT name FROM smoke_writes")
    return {**there(world), "rows": rows, "classifier": world.answering("crane-classifier-staging")}


@dataclass(frozen=True)
class Story:
    """How it went, and what the account had before and after."""

    refused: Result
    in_catalog: Ended
    unknown: Ended
    retired: list[Ended]
    preview: Result
    steps: Json
    update: Result
    again: Result
    before: Json
    after: Json
    proof: Json


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Staging with a smaller catalog: refused, let go, previewed, updated twice."""
    with proven_world(tmp_path_factory) as world:
        before = seen(world)
        use_smaller_catalog(world)
        refused = world.up("staging")
        in_catalog, unknown = (crane(world, "staging", "retire", name, "--yes") for name in ("crane-context", "crane-other"))
        let_go = retired(world, "staging")
        adopt_renamed(world, "staging")
        preview = world.engine.run("preview", "--stack", "staging")
        steps = json.loads(world.engine.well("preview", "--stack", "staging", "--json"))
        update = world.up("staging")
        again = world.up("staging", "--expect-no-changes")
        yield Story(refused, in_catalog, unknown, let_go, preview, steps, update, again, before, seen(world), world.proofs("staging")[0])


def test_an_update_is_refused_and_names_the_command(story: Story) -> None:
    (line,) = story.refused.errors
    assert re.search(rf"which stays at Cloudflare: crane retire -s staging ({OLD_NAME}|{ITS_DATABASE})\.$", line)


def test_the_command_lets_go_of_what_the_catalog_no_longer_has_and_of_nothing_else(story: Story) -> None:
    assert [ended.returncode for ended in story.retired] == [0, 0, 0], [ended.stderr for ended in story.retired]
    assert "worker crane-classifier-staging: the next update forgets it. It stays at Cloudflare as it is." in story.retired[0].stdout
    assert "is in the catalog, so the stack needs it" in story.in_catalog.stderr
    assert "knows no worker or database crane-other" in story.unknown.stderr


def test_a_preview_shows_what_the_next_update_forgets(story: Story) -> None:
    assert "worker crane-classifier-staging: the catalog no longer has it, so this run forgets it." in story.preview.output
    assert f"database {DATABASE}: the catalog no longer has it" not in story.preview.output
    forgotten = {step["urn"].rpartition("::")[2] for step in story.steps["steps"] if step["op"] in ("delete", "discard")}
    assert {CLASSIFIER, ITS_DATABASE, OLD_NAME} <= forgotten


def test_nothing_is_lost_at_cloudflare(story: Story) -> None:
    assert story.update.exit == 0, story.update.output
    assert story.again.exit == 0, story.again.output
    assert story.after == story.before
    assert set(story.proof["databases"]) == {NEW_NAME}


def test_a_renamed_database_keeps_its_id_and_its_rows(story: Story) -> None:
    assert story.proof["databases"][NEW_NAME]["id"] == story.before["databases"][DATABASE]
    assert story.before["rows"]
