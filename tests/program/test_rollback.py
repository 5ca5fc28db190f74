"""An older proven release comes back from its own files, over a database that is ahead of them; nothing is applied or undone.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra.rehearsal.asking_client import Answers, Question, asking
from tests.repository import ROOT
from tests.world.copies import promoted_twice_world
from tests.world.engine import Json, Result
from tests.world.history import NEW_MIGRATION, OLD_TEXT
from tests.world.world import World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

DATABASE = "crane-context-db-prod"
PATIENCE = 60.0


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


def closed(newer: str, older: str) -> str:
    """What the gate says about a release that is older than the one that production runs."""
    return (
        f"production gate closed: production runs a newer release, {newer[:12]}, which was first proven after {older[:12]}. Promote a newer "
        "release. To go back on purpose, tick rollback on GitHub, or run pulumi config set -s production rollback-to "
        f"{older[:12]}."
    )


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
    """Two releases, proven and promoted one after the other by the version before; the newer one brings a migration."""
    with promoted_twice_world(tmp_path_factory) as world:
        old, new = world.project.folder / "old", world.project.folder / "new"
        shutil.copytree(ROOT / "workers", old)
        shutil.copytree(world.workers, new)
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
    def test_without_the_setting_it_is_refused(self, releases: Releases, tried: Tried) -> None:
        assert refused(tried.without) == closed(releases.new_digest, releases.old_digest)

    def test_the_setting_has_to_name_the_release_that_the_files_are(self, releases: Releases, tried: Tried) -> None:
        assert refused(tried.other).startswith(
            f"Pulumi.production.yaml rollback-to: names {releases.new_digest[:12]}, but these files are release {releases.old_digest[:12]}."
        )

    def test_staging_does_not_go_back(self, tried: Tried) -> None:
        assert refused(tried.staging).startswith("Pulumi.staging.yaml rollback-to: only production rolls back; staging proves releases.")

    def test_nothing_was_undone(self, tried: Tried) -> None:
        assert NEW_MIGRATION in tried.ledger


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
    preview, run = world.preview_and_up("production")
    again = world.up("production", "--expect-no-changes")
    return Back(preview, run, again, world.proofs("production")[0], ledger(world), world.answering("crane-context"))


class TestARollback:
    def test_the_old_release_is_live_and_seen(self, releases: Releases, back: Back) -> None:
        well(back.run)
        assert back.proof["digest"] == releases.old_digest
        assert back.served == back.proof["workers"]["crane-context"]["version"]

    def test_it_says_what_the_database_keeps(self, back: Back) -> None:
        for run in (back.preview, back.run):
            assert f"{DATABASE} keeps {NEW_MIGRATION}, which this release does not have" in run.output

    def test_the_preview_and_the_run_say_that_production_runs_a_newer_release(self, releases: Releases, back: Back) -> None:
        newer, older = releases.new_digest[:12], releases.old_digest[:12]
        for run in (back.preview, back.run):
            assert f"production runs a newer release, {newer}: this goes back to {older}, as rollback-to says." in run.output

    def test_nothing_is_applied_or_undone(self, back: Back) -> None:
        assert back.ledger[-1] == NEW_MIGRATION
        assert (back.proof["databases"]["crane-context-db"]["head"]["name"]) == NEW_MIGRATION

    def test_the_next_update_changes_nothing(self, back: Back) -> None:
        well(back.again)


@dataclass(frozen=True)
class Forward:
    """Production after it went forward again."""

    run: Result
    digest: str
    ledger: list[str]


@pytest.fixture(scope="module")
def forward(releases: Releases, back: Back) -> Forward:  # noqa: ARG001 - it has to come first
    """The newer files, without the setting."""
    world = releases.world
    use(world, releases.new)
    set_rollback(world, "production", None)
    return Forward(world.up("production"), world.proofs("production")[0]["digest"], ledger(world))


class TestForwardAgain:
    def test_the_newer_release_is_promoted_as_ever(self, releases: Releases, forward: Forward) -> None:
        well(forward.run)
        assert forward.digest == releases.new_digest
        assert forward.ledger.count(NEW_MIGRATION) == 1

    def test_it_is_not_called_a_rollback(self, forward: Forward) -> None:
        assert "production runs a newer release" not in forward.run.output


@dataclass(frozen=True)
class Again:
    """An older release that staging proved again, as the newest of its proofs."""

    proven: Result
    newest: str
    preview: Result
    run: Result
    answers: Answers
    runs: str


@pytest.fixture(scope="module")
def again(releases: Releases, forward: Forward) -> Again:
    """Both environments run a release without a new migration; then staging runs the one before it once more. A client asks production."""
    well(forward.run)
    world = releases.world
    edit(world.workers / "crane-context" / "dist" / "index.js", OLD_TEXT.upper(), OLD_TEXT.title())
    well(world.up("staging"))
    well(world.up("production"))
    runs = world.proofs("production")[0]["digest"]
    use(world, releases.new)
    with asking(Question(f"{world.cloud.edge_url}/crane-context/version", steady=False)) as traffic:
        proven = world.up("staging")
        newest = world.proofs("staging")[0]["digest"]
        preview, run = world.preview_and_up("production")
        assert traffic.asked_again(PATIENCE)
    return Again(proven, newest, preview, run, traffic.phase(), runs)


class TestAnOlderReleaseThatIsProvenAgain:
    def test_is_the_newest_proof(self, releases: Releases, again: Again) -> None:
        well(again.proven)
        assert again.newest == releases.new_digest

    def test_does_not_take_production_back(self, releases: Releases, again: Again) -> None:
        assert refused(again.run) == closed(again.runs, releases.new_digest)
        (body,) = again.answers.versions
        assert again.answers.wrong == []
        assert releases.world.proofs("production")[0]["workers"]["crane-context"]["version"] in body
        assert again.runs == releases.world.proofs("production")[0]["digest"]

    def test_is_previewed_with_the_refusal(self, releases: Releases, again: Again) -> None:
        well(again.preview)
        assert f"{closed(again.runs, releases.new_digest)} An update would be refused." in again.preview.output
