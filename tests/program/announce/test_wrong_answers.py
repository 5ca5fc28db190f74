"""No wrong answer of Cloudflare's API undoes a decision: a rollback by hand keeps answering, and the run ends with one line that is true.

One story on one local cloud with the real engine: each fixture goes on from the one that it names. A client asks all the while.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from crane_infra.rehearsal.asking_client import Question, Traffic, asking
from local_cloud.faults.model import Error, Reply, Then
from tests.world.copies import promoted_world
from tests.world.engine import Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPT, DATABASE = "crane-classifier", "crane-classifier-db-staging"
BY_HAND = "export default { fetch: () => new Response('the older version') };"
DEPLOYMENTS, WORKER = "GET /accounts/{a}/workers/scripts/{name}/deployments", "GET /accounts/{a}/workers/workers/{id}"
QUERY = "POST /accounts/{a}/d1/database/{id}/query"
OF_STAGING = 2
"""The gate looks at both workers of staging first; the calls after these are about production."""
PAGE = Reply(404, "<html>not here</html>", {"content-type": "text/html"})
EMPTY = Reply(200, '{"success": true, "errors": [], "messages": [], "result": {"deployments": []}}', {"content-type": "application/json"})
GONE = Error(404, 10007, "This Worker does not exist on your account.")
OUTAGE = "Try again; cloudflarestatus.com lists known outages."
NOT_THE_API = r"Cloudflare's API failed: status 404 with text/html, which is not an answer of the API\."
NOTHING = (
    r"serves nothing: the worker, or its deployment, was deleted\. To create it again from this release: "
    r"pulumi config set -s production --path workers\.crane-.*\.replace-deployment nothing-after-.*, "
    r"then pulumi refresh -s production, then run the same command again\."
)
PATIENCE = 60.0
MANUAL = (
    rf"worker {SCRIPT}: serves .* at 100% \(manual deployment .*\), which this stack did not deploy; an update would keep or overwrite it\."
)
FAULTS: dict[str, tuple[dict[str, tuple[Then, int, int]], str]] = {
    "a page with 404 at the gate": (
        {DEPLOYMENTS: (PAGE, 1, 99)},
        rf"production gate closed: staging could not be looked at: deployments of .*-staging: {NOT_THE_API} {OUTAGE}",
    ),
    "a page with 404": (
        {DEPLOYMENTS: (PAGE, OF_STAGING + 1, 99)},
        rf"deployments of crane-.*: {NOT_THE_API} {OUTAGE}",
    ),
    "one page with 404": ({DEPLOYMENTS: (PAGE, OF_STAGING + 1, 2)}, MANUAL),
    "an empty list": (
        {DEPLOYMENTS: (EMPTY, OF_STAGING + 1, 99)},
        rf"worker crane-.*: Cloudflare's API contradicts itself: it lists no deployment, but says that one was made on .*\. {OUTAGE}",
    ),
    "one empty list": ({DEPLOYMENTS: (EMPTY, OF_STAGING + 1, 2)}, MANUAL),
    "a limit": (
        {DEPLOYMENTS: (Error(429, 971, "slow down", {"retry-after": "600"}), OF_STAGING + 1, 99)},
        r"deployments of crane-.*: Cloudflare limits the calls of this token \(429\) and asks to wait 600 s\. Wait, then run the same command again\.",
    ),
    "two reads that agree": (
        {DEPLOYMENTS: (GONE, OF_STAGING + 1, 99), WORKER: (GONE, 1, 99)},
        rf"worker crane-.*: {NOTHING}",
    ),
}
"""By name: what each route answers from which call on and how often, and the whole line that the update ends with."""


def refused(run: Result) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    assert "Traceback" not in run.output
    (line,) = run.errors
    return line


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging proven and promoted."""
    with promoted_world(tmp_path_factory) as made:
        yield made


@dataclass(frozen=True)
class Rollback:
    """A production that somebody rolled back in an emergency, and a client that asks it."""

    deployment: str
    traffic: Traffic


def active(world: World) -> str:
    """The id of the active deployment."""
    return str(world.api("GET", f"/workers/scripts/{SCRIPT}/deployments")["result"]["deployments"][0]["id"])


@pytest.fixture(scope="module")
def rollback(world: World) -> Iterator[Rollback]:
    """Somebody deploys an older version by hand; from then on a client asks for it."""
    world.deploy(SCRIPT, world.upload(SCRIPT, BY_HAND))
    with asking(Question(f"{world.cloud.edge_url}/{SCRIPT}/"), pause=0.1) as traffic:
        yield Rollback(active(world), traffic)


class TestARollbackByHand:
    @pytest.mark.parametrize("name", FAULTS)
    def test_outlives_every_wrong_answer_and_the_update_says_what_is_true(self, world: World, rollback: Rollback, name: str) -> None:
        faults, line = FAULTS[name]
        world.faults.reset()
        with ExitStack() as stack:
            for route, (then, nth, times) in faults.items():
                stack.enter_context(world.faults.fault(route, then, nth=nth, times=times))
            run = world.up("production")
        text = refused(run)
        assert re.match(line, text), text
        assert world.changes() == []
        assert active(world) == rollback.deployment
        assert rollback.traffic.asked_again(PATIENCE)
        assert rollback.traffic.phase().faults == []


@dataclass(frozen=True)
class Deleted:
    """A worker of production that somebody deleted: how each step of the way out ended."""

    refused: Result
    previewed: Result
    created: Result
    again: Result
    answered: str


@pytest.fixture(scope="module")
def deleted(world: World, rollback: Rollback) -> Deleted:
    """The worker is deleted, and the commands that the refusal names are run as they stand there."""
    rollback.traffic.end()
    world.faults.reset()
    world.api("DELETE", f"/workers/workers/{SCRIPT}")
    preview, run = world.preview_and_up("production")
    commands = re.findall(r"pulumi ((?:config set|refresh) .*?), then", refused(run))
    assert [words.split()[0] for words in commands] == ["config", "refresh"]
    for words in commands:
        yes = ("--yes", "--skip-preview") if words.startswith("refresh") else ()
        world.engine.well(*words.split(), *yes)
    created = world.up("production")
    return Deleted(run, preview, created, world.up("production", "--expect-no-changes"), world.answering(SCRIPT))


class TestAWorkerOfProductionThatWasDeleted:
    def test_is_not_created_again_unasked(self, deleted: Deleted) -> None:
        assert refused(deleted.refused).startswith(f"worker {SCRIPT}: serves nothing: the worker, or its deployment, was deleted. ")

    def test_is_a_warning_in_a_preview(self, deleted: Deleted) -> None:
        assert deleted.previewed.exit == 0, deleted.previewed.output
        assert f"warning: worker {SCRIPT}: serves nothing: " in deleted.previewed.output

    def test_is_created_again_by_the_commands_that_the_refusal_names(self, world: World, deleted: Deleted) -> None:
        assert deleted.created.exit == 0, deleted.created.output
        assert deleted.answered == world.proofs("production")[0]["workers"][SCRIPT]["version"]
        assert deleted.again.exit == 0, deleted.again.output


NO_ROWS = '{"success": true, "results": [], "meta": {}}'
CLAIMED = Reply(200, f'{{"success": true, "errors": [], "result": [{", ".join([NO_ROWS] * 20)}]}}', {"content-type": "application/json"})


class TestMigrationsThatAreOnlyClaimedToBeApplied:
    @pytest.mark.parametrize("saying", ["", "INSERT INTO crane_migrations"], ids=["every query", "every file"])
    def test_fail_the_update_and_prove_nothing(self, world: World, deleted: Deleted, saying: str) -> None:
        assert deleted.created.exit == 0
        path = world.workers / "crane-classifier" / "migrations" / "0099_claimed.sql"
        path.write_text("CREATE TABLE claimed (x TEXT);\n", encoding="utf-8")
        before = world.proofs("staging")
        world.faults.reset()
        with world.faults.fault(QUERY, CLAIMED, times=999, saying=saying):
            line = refused(world.up("staging"))
        path.unlink()
        expected = (
            r"not applied to .*: D1 reported success, but the ledger has no record of it\." if saying else r"Cloudflare's API failed: "
        )
        assert re.search(expected, line), line
        assert world.proofs("staging") == before
        assert world.rows(DATABASE, "SELECT name FROM sqlite_master WHERE name = 'claimed'") == []
