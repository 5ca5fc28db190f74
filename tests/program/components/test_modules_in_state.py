"""A stack whose versions have code in their state, as programs of before wrote it: the next run uploads each once more, and leaves no code there.

One story on one local cloud.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.repository import ROOT
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPTS = ("crane-context-staging", "crane-classifier-staging")


@dataclass(frozen=True)
class Story:
    """What was there before, the runs, and what was there after them."""

    before: dict[str, str]
    preview: Result
    update: Result
    after: dict[str, str]
    states: tuple[str, str]
    digests: list[str]
    again: Result


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Nothing but the state is changed."""
    with proven_world(tmp_path_factory) as world:
        before = serving(world)
        put_code_into_state(world)
        old = world.state("staging")
        preview, update = world.preview_and_up("staging")
        digests = [proof["digest"] for proof in world.proofs("staging")]
        states = (old, world.state("staging"))
        yield Story(before, preview, update, serving(world), states, digests, world.up("staging", "--expect-no-changes"))


def serving(world: World) -> dict[str, str]:
    """The newest version of each worker."""
    return {script: world.versions(script)[0] for script in SCRIPTS}


def put_code_into_state(world: World) -> None:
    """Write the content of each module in place of the path of its copy."""
    file = world.state_file("staging")
    state: Json = json.loads(file.read_text(encoding="utf-8"))
    for resource in state["checkpoint"]["latest"]["resources"]:
        for part in ("inputs", "outputs"):
            for module in resource.get(part, {}).get("modules", []):
                module["contentBase64"] = base64.b64encode((ROOT / module.pop("contentFile")).read_bytes()).decode()
    file.write_text(json.dumps(state), encoding="utf-8")


def contents(state: str) -> list[Any]:
    """The code in a state."""
    versions = [resource for resource in json.loads(state)["deployment"]["resources"] if "WorkerVersion" in resource["type"]]
    modules = [module for version in versions for part in ("inputs", "outputs") for module in version[part]["modules"]]
    assert len(modules) > len(versions)
    return [module["contentBase64"] for module in modules if "contentBase64" in module]


def test_a_preview_uploads_each_worker_once_more(story: Story) -> None:
    assert story.preview.exit == 0, story.preview.output
    replaced = re.findall(r"WorkerVersion (\S+) create replacement", story.preview.output)
    assert {f"{name}-staging" for name in replaced} == set(SCRIPTS)


def test_the_update_leaves_no_code_in_the_state(story: Story) -> None:
    assert story.update.exit == 0, story.update.output
    old, new = story.states
    assert contents(old)
    assert contents(new) == []


def test_each_new_version_is_tried_and_serves_and_the_release_is_the_same(story: Story) -> None:
    assert {story.before[script] != story.after[script] for script in SCRIPTS} == {True}
    assert len(story.digests) > len(set(story.digests)) == 1


def test_the_run_after_that_changes_nothing(story: Story) -> None:
    assert story.again.exit == 0, story.again.output
