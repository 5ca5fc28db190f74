"""What the provider sends twice is there twice, and nobody minds: nothing runs twice, nothing unproven opens the gate, and a twin that serves is named.

One story on one local cloud, whose provider sends calls again without a pause. A release is killed while it uploads a version, and again while it
deploys it; that call arrives late. The next run loses the reply to its deployment, and its migration the one to its request.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import CompletedProcess

import pytest

from local_cloud.faults.model import CommitThenHold, Drop, Error, Hold
from tests.command_line import crane
from tests.repository import ROOT
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.started import started, until
from tests.world.world import World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

WORKER, SCRIPT, DATABASE = "crane-classifier", "crane-classifier-staging", "crane-classifier-db-staging"
UPLOAD, DEPLOY = "POST /accounts/{a}/workers/workers/{id}/versions", "POST /accounts/{a}/workers/scripts/{name}/deployments"
QUERY, LIST = "POST /accounts/{a}/d1/database/{id}/query", "GET /accounts/{a}/workers/workers"
SQL = "CREATE TABLE tally (ran TEXT NOT NULL);"


@dataclass(frozen=True)
class Story:
    """How each run ended, what verify said, and what the account had. ``first`` and ``second`` are the two versions of one upload."""

    proofs: list[Json]
    proofs_after_kills: list[Json]
    closed: Result
    watched: str
    proven: Result
    executed: int
    ledger: list[str]
    new_proofs: list[Json]
    versions: list[Json]
    deployed: list[str]
    first: str
    second: str
    verified: CompletedProcess[str]
    verified_twin: CompletedProcess[str]
    again: Result
    promoted: Result


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging has proven a release, and the next one is there: a changed worker and a migration."""
    with proven_world(tmp_path_factory) as made, made.faults.behaviour(provider_pause_factor=0):
        (made.workers / WORKER / "migrations" / "0100_tally.sql").write_text(f"{SQL}\n")
        edit(made.workers / WORKER / "dist" / "index.js", "export default {", "// changed\nexport default {")
        yield made


@pytest.fixture(scope="module")
def story(world: World) -> Story:
    proofs = world.proofs("staging")
    world.faults.reset()
    kill_while_it_uploads(world)
    closed = world.up("production")
    watched = kill_while_it_deploys(world)
    proofs_after_kills = world.proofs("staging")
    lost = Drop("after-commit")
    with world.faults.fault(DEPLOY, lost), world.faults.fault(QUERY, lost, saying="INSERT INTO crane_migrations"):
        proven = world.up("staging")
    executed, deployed, new_proofs = world.faults.executed(SQL), deployments(world), world.proofs("staging")
    versions, verified = versions_of(world), verify(world)
    second, first = (version["id"] for version in versions[:2])
    world.deploy(SCRIPT, first)
    verified_twin, again = verify(world), world.up("staging", "--expect-no-changes")
    ledger = [str(row["name"]) for row in world.rows(DATABASE, "SELECT name FROM d1_migrations ORDER BY id")]
    return Story(
        proofs,
        proofs_after_kills,
        closed,
        watched,
        proven,
        executed,
        ledger,
        new_proofs,
        versions,
        deployed,
        first,
        second,
        verified,
        verified_twin,
        again,
        world.up("production"),
    )


def kill_while_it_uploads(world: World) -> None:
    """The version is stored, and the run is killed before it knows."""
    with world.faults.fault(UPLOAD, CommitThenHold()) as fault, started(world, "staging") as run:
        run.reaches(fault)
        until(lambda: len(versions_of(world)) > 1, "the version")
        run.kill()
    world.engine.well("cancel", "--yes", "--stack", "staging")


def kill_while_it_deploys(world: World) -> str:
    """The call that deploys the version is on its way until the run has said that it waits, and was killed; then it arrives.

    Meanwhile lists of workers cannot be read, which is the reason that the run gives.
    """
    of_the_provider = world.faults.fault(DEPLOY, Hold(), nth=2)  # after the candidate's
    with world.faults.fault(LIST, Error(500), times=100), of_the_provider as fault, started(world, "staging") as run:
        run.reaches(fault)
        until(lambda: "still waiting" in run.output, "a line about the call that is held")
        run.kill()
        output = run.output
    world.engine.well("cancel", "--yes", "--stack", "staging")
    until(lambda: len(deployments(world)) > 2, "the late deployment")
    return output


def versions_of(world: World) -> list[Json]:
    """The versions of the script, newest first."""
    return list(world.api("GET", f"/workers/scripts/{SCRIPT}/versions")["result"]["items"])


def deployments(world: World) -> list[str]:
    """The version of each deployment of the script, newest first."""
    listed = world.api("GET", f"/workers/scripts/{SCRIPT}/deployments")["result"]["deployments"]
    return [deployment["versions"][0]["version_id"] for deployment in listed]


def verify(world: World) -> CompletedProcess[str]:
    """What crane verify says of staging."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    return crane("verify", "-s", "staging", environ=environ, cwd=ROOT)


class TestARunThatIsKilledWhileACallIsOnItsWay:
    def test_proves_nothing_and_leaves_production_closed(self, story: Story) -> None:
        assert story.proofs_after_kills == story.proofs
        assert story.closed.exit != 0
        assert story.closed.errors[0].startswith("production gate closed: release ")

    def test_says_before_that_it_waits_for_what_and_why(self, story: Story) -> None:
        (line,) = {line.strip() for line in story.watched.splitlines() if "still waiting" in line}
        assert f"WorkersDeployment {WORKER}: still waiting for Cloudflare's API after 1" in line
        assert line.endswith("Right now a read of the same account fails too: HTTP 500.")


class TestTheRunAfterIt:
    def test_proves_the_release_and_runs_no_statement_twice(self, story: Story) -> None:
        assert story.proven.exit == 0, story.proven.output
        assert (story.executed, story.ledger.count("0100_tally.sql")) == (1, 1)
        newest, *older = story.new_proofs
        assert older == story.proofs
        assert newest["workers"][WORKER]["version"] == story.second

    def test_has_uploaded_the_version_a_second_time_and_deployed_it_three_times(self, story: Story) -> None:
        second, first, proven_before = story.versions
        assert first["annotations"] == second["annotations"]
        candidate = proven_before["id"]  # it served beside the version that was tried
        assert story.deployed == [second["id"], second["id"], second["id"], candidate, proven_before["id"]]

    def test_leaves_nothing_that_verify_finds(self, story: Story) -> None:
        assert story.verified.returncode == 0, story.verified.stdout
        assert "twin" not in story.verified.stdout


class TestATwinThatServes:
    def test_is_named_by_verify_and_passes_its_checks(self, story: Story) -> None:
        assert story.verified_twin.returncode == 0, story.verified_twin.stdout
        assert (
            f"worker {SCRIPT} serves {story.first}, the twin of {story.second}: the same upload, sent twice" in story.verified_twin.stdout
        )

    def test_is_named_by_the_next_update_which_changes_nothing(self, story: Story) -> None:
        assert story.again.exit == 0, story.again.output
        assert "the same upload, sent twice" in story.again.line(f"serves {story.first}, the twin of {story.second}")
        assert "manual deployment" not in story.again.output

    def test_is_named_by_the_gate_which_is_open(self, story: Story) -> None:
        assert story.promoted.exit == 0, story.promoted.output
        assert "the same upload, sent twice" in story.promoted.line(f"serves {story.first}, the twin of {story.second}")
        assert story.promoted.line("production gate open: ").endswith(" UTC")
