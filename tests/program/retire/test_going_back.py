"""Production goes back across a release that removed a worker and a database and renamed another: in seconds, and from files.

One story on one local cloud, on the real engine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.program.retire.catalog_after import NEW_NAME, OLD_NAME
from tests.program.retire.place import CLASSIFIER, ITS_DATABASE, Ended, adopt_renamed, crane, database, retired, there, use_smaller_catalog
from tests.world.copies import promoted_world
from tests.world.engine import Json, Result
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

CONTEXT = "crane-context"


@dataclass(frozen=True)
class Story:
    """How it went; ``old`` is the release with everything, ``new`` the smaller one."""

    old: Json
    new: Json
    back: Ended
    serving: dict[str, str]
    verify: Ended
    refused: Result
    forward: Ended
    from_files: Result
    proof: Json
    before: Json
    after: Json


def answering(world: World) -> dict[str, str]:
    """The versions that answer."""
    return {name: world.answering(name) for name in (CONTEXT, CLASSIFIER)}


def use_old_files(world: World, files: dict[str, bytes], digest: str) -> None:
    """Put program and stack files of the older release back; what a later release let go of is adopted."""
    for name, text in files.items():
        (world.project.folder / name).write_bytes(text)
    ids, content = there(world)["databases"], world.stack_file("production")
    for name in (OLD_NAME, ITS_DATABASE):
        settings = content["config"][f"{SETTINGS}:databases"][name]
        settings["adopt"] = ids[settings["name"]]
    content["config"][f"{SETTINGS}:workers"][CLASSIFIER]["adopt"] = True
    content["config"][f"{SETTINGS}:rollback-to"] = digest
    world.write_stack_file("production", content)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A smaller release is promoted; production goes back in seconds, forward, and back from files."""
    with promoted_world(tmp_path_factory) as world:
        names = ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml")
        files, before = {name: (world.project.folder / name).read_bytes() for name in names}, there(world)
        use_smaller_catalog(world)
        for stack in ("staging", "production"):
            assert [ended.returncode for ended in retired(world, stack)] == [0, 0, 0]
            adopt_renamed(world, stack)
            run = world.up(stack)
            assert run.exit == 0, run.output
        new, old = world.proofs("production")
        back = crane(world, "production", "rollback", "--yes")
        serving, verify, refused = answering(world), crane(world, "production", "verify"), world.up("production")
        forward = crane(world, "production", "rollback", new["digest"], "--yes")
        use_old_files(world, files, old["digest"])
        let_go = crane(world, "production", "retire", NEW_NAME, "--yes", whole=True)
        assert let_go.returncode == 0, let_go.stderr
        from_files = world.up("production")
        yield Story(old, new, back, serving, verify, refused, forward, from_files, world.proofs("production")[0], before, there(world))


class TestInSeconds:
    def test_the_older_release_serves_with_the_worker_that_went(self, story: Story) -> None:
        assert story.back.returncode == 0, story.back.stderr
        assert story.serving == {name: worker["version"] for name, worker in story.old["workers"].items()}

    def test_the_same_database_under_another_name_needs_no_word(self, story: Story) -> None:
        assert story.old["databases"][OLD_NAME]["id"] == story.new["databases"][NEW_NAME]["id"]
        assert "no longer sees" not in story.back.stdout

    def test_verify_judges_by_it_and_an_update_does_not_undo_it(self, story: Story) -> None:
        assert story.verify.returncode == 0, story.verify.stdout
        (line,) = story.refused.errors
        assert f"rolled back to release {story.old['digest'][:12]} from release {story.new['digest'][:12]}" in line

    def test_the_smaller_release_can_be_taken_again(self, story: Story) -> None:
        assert story.forward.returncode == 0, story.forward.stderr


class TestFromFiles:
    def test_the_older_release_adopts_what_is_still_there(self, story: Story) -> None:
        assert story.from_files.exit == 0, story.from_files.output
        assert story.proof["digest"] == story.old["digest"]

    def test_nothing_is_created_or_lost_at_cloudflare(self, story: Story) -> None:
        assert story.after == story.before
        assert {database("production")} <= story.after["databases"].keys()
