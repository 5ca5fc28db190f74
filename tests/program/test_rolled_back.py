"""``crane rollback`` on the real engine's stacks: an earlier release serves again in seconds, and the next update knows it as ours.

One story on one local cloud: each fixture goes on from the one that it names. A client asks all the while.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest

from crane_infra.rehearsal.asking_client import Answers, Question, Traffic
from local_cloud.faults.model import CommitThenHold, Hold
from tests import command_line
from tests.forked import forked
from tests.repository import ROOT
from tests.world.copies import promoted_twice_world
from tests.world.engine import Json, Result
from tests.world.history import NEW_MIGRATION
from tests.world.started import until
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

CONTEXT, CLASSIFIER = "crane-context", "crane-classifier"
DATABASE = "crane-context-db-prod"
DEPLOY = "POST /accounts/{a}/workers/scripts/{name}/deployments"


def crane(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of crane on production."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    return command_line.crane(*words, "-s", "production", environ=environ, cwd=ROOT)


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def versions(proof: Json) -> dict[str, str]:
    """The versions that a proof names, by worker."""
    return {name: worker["version"] for name, worker in proof["workers"].items()}


@dataclass(frozen=True)
class Releases:
    """Two releases, the newer of which production runs; it changes one worker and brings a migration."""

    world: World
    traffic: Traffic
    old: Json
    new: Json
    files: Path

    @property
    def serving(self) -> dict[str, str]:
        """The versions that answer."""
        return {name: self.world.answering(name) for name in (CONTEXT, CLASSIFIER)}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    """Both releases proven and promoted by the version before, and a client that asks which version answers."""
    with promoted_twice_world(tmp_path_factory) as world:
        new, old = world.proofs("production")
        files = world.project.folder / "new"
        shutil.copytree(world.workers, files)
        urls = [f"{world.cloud.edge_url}/{name}/version" for name in (CONTEXT, CLASSIFIER)]
        traffic = Traffic([Question(url, steady=False) for url in urls], pause=0.1)
        traffic.begin()
        try:
            yield Releases(world, traffic, old, new, files)
        finally:
            traffic.end()


@dataclass(frozen=True)
class Back:
    """Production after the rollback."""

    command: subprocess.CompletedProcess[str]
    serving: dict[str, str]
    verify: subprocess.CompletedProcess[str]
    again: subprocess.CompletedProcess[str]
    preview: Result
    update: Result
    after: dict[str, str]
    answers: Answers
    history: list[Json]


@pytest.fixture(scope="module")
def back(releases: Releases) -> Back:
    """The release before, put back without naming it; then the same files are tried once more."""
    world = releases.world
    assert releases.traffic.asked_again(60)
    command = crane(world, "rollback", "--yes", "--reason", "the new list is empty")
    serving, verify = releases.serving, crane(world, "verify")
    again = crane(world, "rollback", releases.old["digest"][:12], "--yes")
    preview, update = world.preview_and_up("production")
    assert releases.traffic.asked_again(60)
    history = json.loads(crane(world, "history", "--json").stdout)["events"]
    return Back(command, serving, verify, again, preview, update, releases.serving, releases.traffic.phase(), history)


class TestARollbackInSeconds:
    def test_puts_the_versions_of_the_release_before_back(self, releases: Releases, back: Back) -> None:
        assert back.command.returncode == 0, back.command.stderr
        assert back.serving == versions(releases.old)

    def test_says_what_the_database_keeps_and_what_serves(self, releases: Releases, back: Back) -> None:
        assert f"database {DATABASE} keeps {NEW_MIGRATION} (expand), which the release does not have" in back.command.stdout
        assert f"Production serves release {releases.old['digest'][:12]}:" in back.command.stdout
        assert f"worker {CONTEXT} passes" in back.command.stdout

    def test_is_recorded_in_the_deployment(self, releases: Releases, back: Back) -> None:  # noqa: ARG002 - it has to come first
        deployments = releases.world.api("GET", f"/workers/scripts/{CONTEXT}/deployments")["result"]["deployments"]
        old, new = releases.old["digest"][:12], releases.new["digest"][:12]
        messages = [made["annotations"].get("workers/message") for made in deployments]
        assert f"crane rollback {old} from {new}: the new list is empty" in messages

    def test_reads_no_secret_in_proofs_which_tell_them_apart(self, releases: Releases) -> None:
        for proof in (releases.old, releases.new):
            assert all(worker["secrets"] for worker in proof["workers"].values())
            assert not [value for value in releases.world.secrets("production").values() if value in json.dumps(proof)]

    def test_is_in_the_history_before_the_run_that_was_refused(self, releases: Releases, back: Back) -> None:
        digest = releases.old["digest"]
        (event,) = [event for event in back.history if event["kind"] == "rollback"]
        newer = [(event["kind"], event["outcome"]) for event in back.history[: back.history.index(event)]]
        assert newer == [("promotion", "refused")], back.history
        assert (event["outcome"], event["digest"]) == ("seen", digest[: len(event["digest"])]), back.history
        assert list(event["versions"].values()) == [versions(releases.old)[CONTEXT]], back.history

    def test_no_caller_meets_a_version_that_was_not_proven(self, releases: Releases, back: Back) -> None:
        proven = {*versions(releases.old).values(), *versions(releases.new).values()}
        assert back.answers.faults == []
        assert all(any(version in answer for version in proven) for answer in back.answers.versions)

    def test_is_what_verify_judges_by(self, releases: Releases, back: Back) -> None:
        assert back.verify.returncode == 0, back.verify.stdout
        assert f"rolled back to release {releases.old['digest'][:12]} from release {releases.new['digest'][:12]} on" in back.verify.stdout
        assert "(the new list is empty)" in back.verify.stdout

    def test_has_nothing_to_do_the_second_time(self, releases: Releases, back: Back) -> None:
        assert f"Nothing to do: release {releases.old['digest'][:12]} serves." in back.again.stdout

    def test_is_not_undone_by_the_same_files(self, releases: Releases, back: Back) -> None:
        digest = releases.new["digest"][:12]
        (line,) = back.update.errors
        assert line.startswith(f"stack production: rolled back to release {releases.old['digest'][:12]} from release {digest} on ")
        assert line.endswith(f"Promote a newer release. To take {digest} again on purpose: crane rollback -s production {digest}.")
        assert f"{line} An update would be refused." in back.preview.output
        assert back.after == versions(releases.old)


@dataclass(frozen=True)
class Forward:
    """Production after it took the newer release again."""

    command: subprocess.CompletedProcess[str]
    serving: dict[str, str]
    update: Result
    verify: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def forward(releases: Releases, back: Back) -> Forward:  # noqa: ARG001 - it has to come first
    """The release that was left, put back in the same way, then its files."""
    command = crane(releases.world, "rollback", releases.new["digest"][:12], "--yes")
    serving, verify = releases.serving, crane(releases.world, "verify")
    return Forward(command, serving, releases.world.up("production"), verify)


class TestTheReleaseThatWasLeft:
    def test_can_be_taken_again_on_purpose(self, releases: Releases, forward: Forward) -> None:
        assert forward.command.returncode == 0, forward.command.stderr
        assert forward.serving == versions(releases.new)

    def test_is_then_what_the_stack_has_but_for_its_record_which_gets_the_form_of_this_version(self, forward: Forward) -> None:
        assert "~ 1 updated\n    19 unchanged" in well(forward.update).output
        assert "rolled back" not in forward.update.output
        assert (forward.verify.returncode, "rolled back" in forward.verify.stdout) == (0, False)


@dataclass(frozen=True)
class Newer:
    """A newer release, promoted after another rollback; it changes a worker that the rollback did not move."""

    update: Result
    proof: Json
    serving: dict[str, str]


@pytest.fixture(scope="module")
def newer(releases: Releases, forward: Forward) -> Newer:  # noqa: ARG001 - it has to come first
    """Back once more, then forward with a newer release."""
    world = releases.world
    assert crane(world, "rollback", "--yes").returncode == 0
    code = world.workers / CLASSIFIER / "dist" / "index.js"
    code.write_text(f"{code.read_text(encoding='utf-8')}\n// newer\n", encoding="utf-8")
    well(world.up("staging"))
    update = world.up("production")
    return Newer(update, world.proofs("production")[0], releases.serving)


class TestANewerRelease:
    def test_ends_the_rollback_and_says_so(self, releases: Releases, newer: Newer) -> None:
        well(newer.update)
        assert f"Production was rolled back to release {releases.old['digest'][:12]}" in newer.update.output
        assert f"This run ends the rollback and deploys release {newer.proof['digest'][:12]}." in newer.update.output

    def test_serves_with_all_its_workers(self, releases: Releases, newer: Newer) -> None:
        assert newer.serving == versions(newer.proof)
        assert newer.proof["workers"][CONTEXT]["tag"] == releases.new["workers"][CONTEXT]["tag"]
        assert newer.serving[CONTEXT] not in (versions(releases.old)[CONTEXT], versions(releases.new)[CONTEXT])


@dataclass(frozen=True)
class Killed:
    """A rollback of both workers that was killed when one had moved, and the command after it."""

    verify: subprocess.CompletedProcess[str]
    again: subprocess.CompletedProcess[str]
    serving: dict[str, str]
    answers: Answers


@pytest.fixture(scope="module")
def killed(releases: Releases, newer: Newer) -> Killed:
    """``kill -9`` of the real command, while the call that moves the second worker is held."""
    world, versions_before = releases.world, versions(releases.old)
    releases.traffic.phase()
    back = ("rollback", releases.old["digest"], "--yes")
    with (
        world.faults.fault(DEPLOY, CommitThenHold(), saying=versions_before[CONTEXT]) as moved,
        world.faults.fault(DEPLOY, Hold(), saying=versions_before[CLASSIFIER]) as waits,
        forked(lambda: crane(world, *back), world.project.folder) as process,
    ):
        process.reaches(moved, waits)
        until(lambda: releases.serving[CONTEXT] == versions_before[CONTEXT], "the first worker")
        process.ends_by(SIGKILL)
        assert releases.serving[CLASSIFIER] == newer.serving[CLASSIFIER]
        verify = crane(world, "verify")
    again = crane(world, *back)
    assert releases.traffic.asked_again(60)
    return Killed(verify, again, releases.serving, releases.traffic.phase())


class TestARollbackThatIsKilled:
    def test_is_named_by_verify(self, releases: Releases, killed: Killed) -> None:
        assert killed.verify.returncode == 3
        assert f"crane rollback -s production {releases.old['digest'][:12]}" in killed.verify.stdout

    def test_is_ended_by_the_same_command(self, releases: Releases, killed: Killed) -> None:
        assert killed.again.returncode == 0, killed.again.stderr
        assert killed.serving == versions(releases.old)

    def test_shows_nobody_a_version_that_was_not_proven(self, releases: Releases, newer: Newer, killed: Killed) -> None:
        proven = {*versions(releases.old).values(), *versions(newer.proof).values()}
        assert killed.answers.faults == []
        assert killed.answers.count > 0
        assert all(any(version in answer for version in proven) for answer in killed.answers.versions)
