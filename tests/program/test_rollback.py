"""An older proven release comes back from its own files, over a database that is ahead of them; nothing is applied or undone.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.world.copies import promoted_world
from tests.world.engine import Json, Result
from tests.world.world import World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE, NEW = "crane-context-db-prod", "0009_notes.sql"
OLD_TEXT = "which agent sessions are alive"


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def refused(run: Result) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    assert "Traceback" not in run.output
    (line,) = run.errors
    return line


def ledger(world: World) -> list[str]:
    """The names in production's ledger."""
    return [str(row["name"]) for row in world.rows(DATABASE, "SELECT name FROM d1_migrations ORDER BY id")]


def use(world: World, folder: Path) -> None:
    """Put the files of a release in place."""
    shutil.rmtree(world.workers)
    shutil.copytree(folder, world.workers)


def set_rollback(world: World, stack: str, digest: str | None) -> None:
    """Set or remove rollback-to."""
    settings = world.stack_file(stack)
    settings["config"].pop("crane-infra:rollback-to", None)
    if digest:
        settings["config"]["crane-infra:rollback-to"] = digest
    world.write_stack_file(stack, settings)


@dataclass(frozen=True)
class Releases:
    """The folders and digests of two releases, the newer of which production runs."""

    world: World
    old: Path
    new: Path
    old_digest: str
    new_digest: str


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    """Two releases, proven and promoted one after the other; the newer one brings a migration."""
    with promoted_world(tmp_path_factory) as world:
        old, new = world.project.folder / "old", world.project.folder / "new"
        shutil.copytree(world.workers, old)
        edit(world.workers / "crane-context" / "dist" / "index.js", OLD_TEXT, OLD_TEXT.upper())
        (world.workers / "crane-context" / "migrations" / NEW).write_text("CREATE TABLE notes (text TEXT NOT NULL);\n", encoding="utf-8")
        shutil.copytree(world.workers, new)
        well(world.up("staging"))
        well(world.up("production"))
        newer, older = world.proofs("production")
        yield Releases(world, old, new, older["digest"], newer["digest"])


@dataclass(frozen=True)
class Tried:
    """How the old files were taken before they were right."""

    without: Result
    other: Result
    staging: Result
    ledger: list[str]


@pytest.fixture(scope="module")
def tried(releases: Releases) -> Tried:
    """The old files without the setting, with the digest of another release, and in staging."""
    world = releases.world
    use(world, releases.old)
    without = world.up("production")
    set_rollback(world, "production", releases.new_digest)
    other = world.up("production")
    set_rollback(world, "staging", releases.old_digest)
    staging = world.up("staging")
    set_rollback(world, "staging", None)
    return Tried(without, other, staging, ledger(world))


class TestWhatIsNoRollback:
    def test_without_the_setting_a_database_ahead_of_the_files_is_refused(self, tried: Tried) -> None:
        assert f"{NEW}: in the ledger of {DATABASE} but not among these files, so the database is ahead of them" in refused(tried.without)

    def test_the_setting_has_to_name_the_release_that_the_files_are(self, releases: Releases, tried: Tried) -> None:
        assert refused(tried.other).startswith(
            f"Pulumi.production.yaml rollback-to: names {releases.new_digest[:12]}, but these files are release {releases.old_digest[:12]}."
        )

    def test_staging_does_not_go_back(self, tried: Tried) -> None:
        assert refused(tried.staging).startswith("Pulumi.staging.yaml rollback-to: only production rolls back; staging proves releases.")

    def test_nothing_was_undone(self, tried: Tried) -> None:
        assert NEW in tried.ledger


@dataclass(frozen=True)
class Back:
    """Production after the rollback."""

    preview: Result
    run: Result
    again: Result
    proof: Json
    ledger: list[str]
    served: str


@pytest.fixture(scope="module")
def back(releases: Releases, tried: Tried) -> Back:  # noqa: ARG001 - it has to come first
    """The old files with the setting, of which the beginning of the digest is enough."""
    world = releases.world
    set_rollback(world, "production", releases.old_digest[:12])
    preview, run = world.engine.run("preview", "--stack", "production"), world.up("production")
    again = world.up("production", "--expect-no-changes")
    return Back(preview, run, again, world.proofs("production")[0], ledger(world), world.answering("crane-context"))


class TestARollback:
    def test_the_old_release_is_live_and_seen(self, releases: Releases, back: Back) -> None:
        well(back.run)
        assert back.proof["digest"] == releases.old_digest
        assert back.served == back.proof["workers"]["crane-context"]["version"]

    def test_it_says_what_the_database_keeps(self, back: Back) -> None:
        for run in (back.preview, back.run):
            assert f"{DATABASE} keeps {NEW}, which this release does not have" in run.output

    def test_nothing_is_applied_or_undone(self, back: Back) -> None:
        assert back.ledger[-1] == NEW
        assert (back.proof["databases"]["crane-context-db"]["head"]["name"]) == NEW

    def test_the_next_update_changes_nothing(self, back: Back) -> None:
        well(back.again)


class TestForwardAgain:
    def test_the_newer_release_is_promoted_as_ever(self, releases: Releases, back: Back) -> None:  # noqa: ARG002 - it has to come first
        world = releases.world
        use(world, releases.new)
        set_rollback(world, "production", None)
        well(world.up("production"))
        assert world.proofs("production")[0]["digest"] == releases.new_digest
        assert ledger(world).count(NEW) == 1
