"""A version that has not passed answers nobody: a client asks staging all the while, through a candidate that fails and runs that are killed.

One story on one local cloud: a release that is broken, its run killed when the candidate has joined, then when the provider is about to move
traffic, then the run that ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from signal import SIGKILL
from subprocess import CompletedProcess

import pytest

from crane_infra.rehearsal.asking_client import Answers, Question, Traffic
from local_cloud.faults.model import CommitThenHold, Hold
from tests.command_line import crane
from tests.forked import forked
from tests.repository import ROOT
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.started import started, until
from tests.world.world import SETTINGS, World, edit, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

WORKERS = ("crane-context", "crane-classifier")
DEPLOY = "POST /accounts/{a}/workers/scripts/{name}/deployments"
HEALTHY = 'return json(200, { status: "ok", worker: "crane-context" });'
BROKEN = 'return json(500, { status: "broken" });'


@dataclass(frozen=True)
class Killed:
    """A run that was killed: what it said, and what the client saw until then."""

    output: str
    answers: Answers


@dataclass(frozen=True)
class Story:
    """How each run ended, what the client saw until then, and what waited."""

    before: dict[str, str]
    broken: Result
    while_broken: Answers
    after_broken: dict[str, list[Json]]
    verified: CompletedProcess[str]
    killed: list[Killed]
    last: Result
    after_last: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging has proven a release, and in the next one both workers change."""
    with proven_world(tmp_path_factory) as made:
        for worker in WORKERS:
            edit(made.workers / worker / "dist" / "index.js", "export default {", "// next\nexport default {")
        yield made


def script(worker: str) -> str:
    """A worker's name in staging."""
    return f"{worker}-staging"


def answering(world: World) -> dict[str, str]:
    """The version that answers, of each worker."""
    return {worker: world.answering(script(worker)) for worker in WORKERS}


def active(world: World) -> dict[str, list[Json]]:
    """What the active deployment of each worker gives to whom."""
    return {
        worker: world.api("GET", f"/workers/scripts/{script(worker)}/deployments")["result"]["deployments"][0]["versions"]
        for worker in WORKERS
    }


def killed(world: World, client: Traffic, then: CommitThenHold | Hold, *, nth: int = 1) -> Killed:
    """A run that is killed at its nth deployment. Calls that are held arrive afterwards."""
    with world.faults.fault(DEPLOY, then, nth=nth, times=2) as fault, started(world, "staging") as run:
        run.reaches(fault)
        if isinstance(then, CommitThenHold):
            until(lambda: any(len(versions) > 1 for versions in active(world).values()), "the candidate")
        run.kill()
        client.asked_again(60)
        seen = Killed(run.output, client.phase())
    world.engine.well("cancel", "--yes", "--stack", "staging")
    return seen


@pytest.fixture(scope="module")
def story(world: World) -> Story:
    """The story."""
    before = answering(world)
    client = Traffic([Question(f"{world.cloud.edge_url}/{script(worker)}/version", steady=False) for worker in WORKERS])
    client.begin()
    try:
        with edited(world.workers / "crane-context" / "dist" / "index.js", HEALTHY, BROKEN):
            broken = world.up("staging")
        client.asked_again(60)
        while_broken, after_broken = client.phase(), active(world)
        joining = killed(world, client, CommitThenHold())
        environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
        verified = crane("verify", "-s", "staging", environ=environ, cwd=ROOT)
        # What the first run left is taken up; what it did not get to joins now. Then the provider moves the traffic.
        moving = killed(world, client, Hold(), nth=1 + sum(len(versions) == 1 for versions in active(world).values()))
        last = world.up("staging")
    finally:
        client.end()
    return Story(before, broken, while_broken, after_broken, verified, [joining, moving], last, answering(world))


class TestACandidateThatFails:
    def test_ends_the_run_with_one_line_for_each_worker(self, story: Story) -> None:
        assert story.broken.exit != 0
        assert "Traceback" not in story.broken.output
        failed = story.broken.line('before hook "crane-context-traffic" failed: ')
        assert "GET /health (check health): candidate " in failed
        assert "was 500 {" in failed
        assert f"{story.before['crane-context']} still serves everybody, alone. What this release migrated stays" in failed
        other = story.broken.line('before hook "crane-classifier-traffic" failed: ')
        assert "gets no traffic, because the candidate of crane-context-staging failed" in other

    def test_leaves_the_old_versions_alone(self, story: Story) -> None:
        assert story.after_broken == {worker: [{"percentage": 100, "version_id": version}] for worker, version in story.before.items()}

    def test_has_answered_nobody(self, story: Story) -> None:
        assert only_old(story.while_broken, story)


class TestAKilledRun:
    def test_leaves_a_candidate_that_verify_names_and_finds_no_fault_with(self, story: Story) -> None:
        assert story.verified.returncode == 0, story.verified.stdout
        assert "waits at 0%, a candidate of release" in story.verified.stdout

    def test_has_answered_nobody(self, story: Story) -> None:
        assert all(only_old(run.answers, story) for run in story.killed)

    def test_is_taken_up_by_the_next_one(self, story: Story) -> None:
        assert "waits since an earlier run at 0% and is tried on" in story.killed[1].output
        assert "passed its 3 checks 6 times" in story.killed[1].output

    def test_after_it_the_release_is_proven(self, world: World, story: Story) -> None:
        assert story.last.exit == 0, story.last.output
        proven = world.proofs("staging")[0]["workers"]
        assert story.after_last == {worker: proven[worker]["version"] for worker in WORKERS}
        assert not set(story.after_last.values()) & set(story.before.values())


@dataclass(frozen=True)
class Rolled:
    """A release that moves in steps and holds at the first one: what its run and ``crane rollout`` said, and how the run after it ended."""

    held: Result
    status: str
    halfway: str
    """What ``crane rollout status`` said after a ``continue`` that was killed when one worker had moved."""
    continued: str
    last: Result
    answering: dict[str, str]


@pytest.fixture(scope="module")
def rolled(world: World, story: Story) -> Rolled:
    """One step, for which there can never be answers enough; then a person decides."""
    assert story.last.exit == 0
    settings = world.stack_file("staging")
    settings["config"][f"{SETTINGS}:rollout"] = {"steps": [50], "pause": "1s", "samples": 10_000}
    world.write_stack_file("staging", settings)
    for worker in WORKERS:
        edit(world.workers / worker / "dist" / "index.js", "// next", "// in steps")
    held = world.up("staging")
    status = said(world, "rollout", "status", "-s", "staging")
    with world.faults.fault(DEPLOY, Hold(), nth=2) as fault:
        with forked(lambda: said(world, "rollout", "continue", "-s", "staging"), world.project.folder) as process:
            process.reaches(fault)
            process.ends_by(SIGKILL)
        halfway = said(world, "rollout", "status", "-s", "staging")
        continued = said(world, "rollout", "continue", "-s", "staging")
    last = world.up("staging")
    return Rolled(held, status, halfway, continued, last, answering(world))


def said(world: World, *words: str) -> str:
    """What a command of crane printed."""
    ended = crane(*words, environ={**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


class TestARolloutThatHolds:
    def test_ends_the_run_and_says_in_which_order_the_workers_moved_and_who_decides(self, rolled: Rolled) -> None:
        assert rolled.held.exit != 0
        assert "-staging 50%, then crane-" in rolled.held.line("rollout: ")
        assert "crane rollout continue -s staging, or crane rollout abort -s staging" in rolled.held.line("the rollout holds with")

    def test_is_shown_and_goes_on_where_a_person_says_so(self, rolled: Rolled) -> None:
        assert rolled.status.count("at 50%") == len(WORKERS)
        assert rolled.continued.count("now has 100%") == 1

    def test_goes_on_with_the_worker_that_a_killed_command_left_behind(self, rolled: Rolled) -> None:
        assert rolled.halfway.count("at 50%") == 1
        assert rolled.halfway.split("worker ")[1].split(":")[0] in rolled.continued

    def test_is_proven_by_the_next_run(self, world: World, rolled: Rolled) -> None:
        assert rolled.last.exit == 0, rolled.last.output
        assert "manual deployment" not in rolled.last.output
        proven = world.proofs("staging")[0]["workers"]
        assert rolled.answering == {worker: proven[worker]["version"] for worker in WORKERS}


def only_old(answers: Answers, story: Story) -> bool:
    """Whether the client was answered, and by versions alone that had passed."""
    assert answers.faults == []
    assert answers.count > 0
    named = {version for version in story.before.values() if any(version in body for body in answers.versions)}
    return len(answers.versions) == len(named) == len(WORKERS)
