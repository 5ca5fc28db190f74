"""A database that was restored to the bookmark that a run printed: what the next refusal advises is followed to the end, and the run after it proves.

The release in between was never proven, so the outputs of the stack know nothing of it: neither of its second release, nor of its first one ever.
"""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.command_line import crane
from tests.repository import ROOT
from tests.world.copies import fresh_world, proven_world
from tests.world.engine import Result
from tests.world.world import World, edit, edited
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

SCRIPT, DATABASE, FILE = "crane-context-staging", "crane-context-db-staging", "0101_next.sql"
GOOD, BAD = "return json(200, { sessions: results", "return json(500, { sessions: results"
MakeWorld = Callable[[pytest.TempPathFactory], AbstractContextManager[World]]
WORLDS: dict[str, MakeWorld] = {"a later release": proven_world, "the first release ever": fresh_world}


@dataclass(frozen=True)
class Story:
    """How each run ended, and what the command of the refusal said."""

    failed: Result
    restored: str
    refused: Result
    command: str
    followed: subprocess.CompletedProcess[str]
    mended: Result
    again: Result
    gate: subprocess.CompletedProcess[str]
    """``crane migrations apply`` to production, which asks the gate, and has no database yet."""


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging, with a migration that it does not have yet."""
    with WORLDS[request.param](tmp_path_factory) as made:
        (made.workers / "crane-context" / "migrations" / FILE).write_text("CREATE TABLE next (text TEXT);\n", encoding="utf-8")
        edit(made.workers / "crane-context" / "dist" / "index.js", "export default {", "// next\nexport default {")
        yield made


@pytest.fixture(scope="module")
def story(world: World, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A release fails its check; somebody restores the database as that run said, and mends the code."""
    with world.impatient("staging"), edited(world.workers / "crane-context" / "dist" / "index.js", GOOD, BAD):
        failed = world.up("staging")
    way_back = re.search(rf"wrangler (d1 time-travel restore {DATABASE} --bookmark=\S+)", failed.output)
    assert way_back, failed.output
    restored = restore(world, tmp_path_factory, way_back[1])
    refused = world.up("staging")
    advised = re.search(r"(crane migrations apply -s staging.*?) first\.", refused.output)
    assert advised, refused.output
    followed = command(world, *shlex.split(advised[1])[1:])
    mended, again = world.up("staging"), world.up("staging", "--expect-no-changes")
    return Story(failed, restored, refused, advised[1], followed, mended, again, command(world, "migrations", "apply", "-s", "production"))


def command(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of crane."""
    return crane(*words, environ={**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}, cwd=ROOT)


def restore(world: World, factory: pytest.TempPathFactory, printed: str) -> str:
    """Restore with the printed command of wrangler; where a release was proven before, with ``crane restore``, whose words come back."""
    if not world.proofs("staging"):
        Wrangler(world.cloud, factory.mktemp("wrangler"))(*shlex.split(printed))
        return ""
    bookmark = printed.partition("--bookmark=")[2]
    ended = command(world, "restore", "-s", "staging", "-d", "crane-context-db", "--bookmark", bookmark, "--lose-writes", "--yes")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


class TestADatabaseRestoredToThePrintedBookmark:
    def test_fails_at_first_because_the_check_failed(self, story: Story) -> None:
        assert "reads D1 with its key" in story.failed.output

    def test_is_recognised_by_the_mended_release_which_gets_no_traffic(self, story: Story) -> None:
        (line,) = story.refused.errors
        assert f"database {DATABASE}: its ledger stands at " in line
        assert "or the database was restored to an earlier state" in line

    def test_gets_its_migrations_again_by_the_command_that_the_refusal_names(self, story: Story) -> None:
        assert story.followed.returncode == 0, story.followed.stderr
        assert f"{DATABASE}: " in story.followed.stdout
        assert f"ledger at {FILE}" in story.followed.stdout

    def test_is_proven_by_the_next_run_and_unchanged_after_it(self, world: World, story: Story) -> None:
        assert story.mended.exit == 0, story.mended.output
        assert world.proofs("staging")[0]["databases"]["crane-context-db"]["head"]["name"] == FILE
        assert world.answering(SCRIPT) == world.proofs("staging")[0]["workers"]["crane-context"]["version"]
        assert story.again.exit == 0, story.again.output

    def test_opens_the_gate_of_production_then(self, story: Story) -> None:
        assert "gate closed" not in story.gate.stderr
        assert "stack production has not created it yet" in story.gate.stderr

    def test_was_restored_by_a_command_that_said_what_it_took_back_and_how_all_agrees_again(self, world: World, story: Story) -> None:
        if len(world.proofs("staging")) > 1:
            assert f"It takes back the migrations {FILE}." in story.restored
            assert f"The restore took back {FILE}." in story.restored
            assert "crane migrations apply -s staging -d crane-context-db applies them again" in story.restored
