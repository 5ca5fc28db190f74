"""A stack whose versions have code in their state, as programs of before wrote it: the next run uploads each once more, and leaves no code there.

One story on one local cloud.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.repository import ROOT
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

GONE = ".crane/modules/of-another-machine"
REFRESH = ("refresh", "--stack", "staging", "--yes", "--suppress-progress")
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
    lacking: Result
    without_question: Result


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Nothing but the state is changed: first it has code, and at the end it names files that are nowhere."""
    with proven_world(tmp_path_factory) as world:
        before = serving(world)
        rewrite_modules(world, with_code)
        old = world.state("staging")
        preview, update = world.preview_and_up("staging")
        digests = [proof["digest"] for proof in world.proofs("staging")]
        states = (old, world.state("staging"))
        after, again = serving(world), world.up("staging", "--expect-no-changes")
        rewrite_modules(world, lambda module: {**module, "contentFile": GONE})
        lacking = world.engine.run(*REFRESH)
        without_question = world.engine.run(*REFRESH, PULUMI_ENABLE_LEGACY_REFRESH_DIFF="true")
        yield Story(before, preview, update, after, states, digests, again, lacking, without_question)


def serving(world: World) -> dict[str, str]:
    """The newest version of each worker."""
    return {script: world.versions(script)[0] for script in SCRIPTS}


def with_code(module: Json) -> Json:
    """A module with its content in place of the path of its copy."""
    content = base64.b64encode((ROOT / module["contentFile"]).read_bytes()).decode()
    return {**{key: value for key, value in module.items() if key != "contentFile"}, "contentBase64": content}


def rewrite_modules(world: World, made_of: Callable[[Json], Json]) -> None:
    """Change each module in the state of staging."""
    file = world.state_file("staging")
    state: Json = json.loads(file.read_text(encoding="utf-8"))
    for resource in state["checkpoint"]["latest"]["resources"]:
        for part in ("inputs", "outputs"):
            if "modules" in resource.get(part, {}):
                resource[part]["modules"] = [made_of(module) for module in resource[part]["modules"]]
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


def test_a_refresh_that_lacks_the_files_names_one_and_a_variable_leaves_the_question_out(story: Story) -> None:
    """As docs/runbook.md says."""
    assert story.lacking.exit != 0
    assert f"Error computing SHA-256 hash: open {GONE}: no such file or directory" in story.lacking.output
    assert story.without_question.exit == 0, story.without_question.output
