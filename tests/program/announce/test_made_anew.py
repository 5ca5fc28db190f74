"""A worker that somebody deleted and deployed again under its name: said before anything is sent, and the advice leads back to the release."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.program.announce.test_manual import Verified, verify
from tests.world.copies import proven_world
from tests.world.engine import Result
from tests.world.world import World
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

WORKER, SCRIPT = "crane-classifier", "crane-classifier-staging"


@dataclass(frozen=True)
class Story:
    """What verify and each run said, and what the refused run changed."""

    version: str
    verified: Verified
    preview: Result
    refused: Result
    changes: list[str]
    commands: list[str]
    created: Result
    again: Result


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging is proven."""
    with proven_world(tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def story(world: World, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Wrangler deletes the worker and deploys other code under its name; then the commands of the refusal are run as they stand there."""
    folder, version = tmp_path_factory.mktemp("wrangler"), world.answering(SCRIPT)
    wrangler = Wrangler(world.cloud, folder)
    wrangler("delete", "--name", SCRIPT, "--force")
    content = {"name": SCRIPT, "main": "index.js", "compatibility_date": "2024-01-01"}
    (folder / "wrangler.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "index.js").write_text("export default { fetch: () => new Response('by hand') };", encoding="utf-8")
    wrangler("deploy", cwd=folder)
    verified = verify(world, "staging")
    world.faults.reset()
    preview, refused = world.preview_and_up("staging")
    changes = world.changes()
    (line,) = refused.errors
    commands = re.findall(r"((?:wrangler|pulumi) .+?), then", line.partition("nobody needs it: ")[2])
    for program, *words in map(shlex.split, commands):
        if program == "wrangler":
            wrangler(*words, "--force")
        else:
            world.engine.well(*words, "--yes", "--skip-preview")
    return Story(version, verified, preview, refused, changes, commands, world.up("staging"), world.up("staging", "--expect-no-changes"))


class TestAWorkerMadeAnew:
    def test_is_found_by_verify(self, story: Story) -> None:
        assert story.verified.exit == 3
        assert any("was deleted and created again by somebody else" in finding for finding in story.verified.findings)

    def test_is_refused_before_anything_is_sent_with_what_is_true(self, story: Story) -> None:
        (line,) = story.refused.errors
        assert line.startswith(f"worker {SCRIPT}: was deleted and created again by somebody else: it serves ")
        assert f"and {story.version}, which this stack deployed, is gone. " in line
        assert story.changes == []
        assert story.preview.exit == 0, story.preview.output
        assert "warning: worker crane-classifier-staging: was deleted and created again" in story.preview.output

    def test_is_returned_to_the_release_by_the_commands_that_the_refusal_names(self, world: World, story: Story) -> None:
        assert [command.split()[0] for command in story.commands] == ["wrangler", "pulumi"]
        assert story.created.exit == 0, story.created.output
        assert world.answering(SCRIPT) == world.proofs("staging")[0]["workers"][WORKER]["version"] != story.version
        assert story.again.exit == 0, story.again.output
