"""What the account already has is not created a second time: the run names it and the setting that adopts it, and with that setting goes on.

One story on one local cloud: the replies to two creations are lost, so the engine does not know what was created.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_cloud.faults.model import Drop
from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE, WORKER = "crane-context-db", "crane-classifier"
ADOPTS = re.compile(r"adopt it: (pulumi config set .+?), then run the same command again\.")


@dataclass(frozen=True)
class Story:
    """How each run ended: the one whose replies were lost, a preview, another run, and one after the advice was followed."""

    lost: Result
    created: Json
    preview: Result
    refused: Result
    advised: list[str]
    adopted: Result
    created_after: Json


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Cloudflare creates a database and a worker, and the connection drops before it says so."""
    with fresh_world(tmp_path_factory) as world:
        with (
            world.faults.behaviour(provider_pause_factor=0),
            world.faults.fault("POST /accounts/{a}/d1/database", Drop("after-commit"), saying=f'"{DATABASE}-staging"'),
            world.faults.fault("POST /accounts/{a}/workers/workers", Drop("after-commit"), saying=f'"{WORKER}-staging"'),
        ):
            lost = world.up("staging")
        created = ids(world)
        preview, refused = world.preview_and_up("staging")
        advised = ADOPTS.findall(refused.output)
        for command in dict.fromkeys(advised):
            world.engine.well(*shlex.split(command)[1:])
        yield Story(lost, created, preview, refused, advised, world.up("staging"), ids(world))


def ids(world: World) -> Json:
    """The ids of what the account has, by name."""
    listed = [each for kind in ("/d1/database", "/workers/workers") for each in world.api("GET", kind)["result"]]
    return {each["name"]: each.get("uuid") or each["id"] for each in listed}


def said(story: Story) -> list[str]:
    """What is to be said of both, the database first."""
    adopt = "and this stack neither created nor adopted it. If it belongs to this environment, adopt it: pulumi config set -s staging"
    again, database = "then run the same command again.", story.created[f"{DATABASE}-staging"]
    return [
        f"database {DATABASE}-staging: already exists as {database} without tables, {adopt} --path databases.{DATABASE}.adopt {database}, {again}",
        f"worker {WORKER}-staging: already exists and was never deployed, {adopt} --path workers.{WORKER}.adopt true, {again}",
    ]


def test_the_run_whose_replies_were_lost_names_what_it_created(story: Story) -> None:
    assert story.lost.exit != 0
    assert [line for line in said(story) if line not in story.lost.errors] == []


def test_a_preview_warns_of_each_and_goes_on(story: Story) -> None:
    assert story.preview.exit == 0, story.preview.output
    assert [line for line in said(story) if f"    warning: {line} An update would be refused.\n" not in story.preview.output] == []


def test_the_next_run_is_refused_and_says_how_to_go_on(story: Story) -> None:
    database, worker = said(story)
    assert story.refused.exit != 0
    assert "Traceback" not in story.refused.output
    assert sorted(story.refused.errors) == [
        f'before hook "{WORKER}-worker" failed: {worker}',
        f'before hook "{DATABASE}-database" failed: {database}',
    ]


def test_with_the_advice_followed_the_run_goes_on_to_the_end_and_creates_nothing_twice(story: Story) -> None:
    assert len(set(story.advised)) == 2
    assert story.adopted.exit == 0, story.adopted.output
    assert {name: story.created_after[name] for name in story.created} == story.created
