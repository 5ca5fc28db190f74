"""A version that has not passed its checks answers nobody: it is tried at 0 %, and taken out again where it fails.

A client asks the live address all the while. Each broken deploy ends with the old version alone, and with one line that says why.
"""

import asyncio
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from crane_infra.checks.model import AnyCheck, Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.checks.request import Target
from crane_infra.errors import CraneError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.mark import mark, read_mark
from crane_infra.rehearsal.asking_client import Question, Traffic
from crane_infra.traffic.candidate import require_unchanged, try_candidates
from crane_infra.traffic.deploy import deploy
from crane_infra.traffic.outcome import Candidate, Outcome
from crane_infra.traffic.series import ENOUGH, IN_A_ROW
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.cloud import Api, Body

pytestmark = pytest.mark.cloud

ROUTE = "POST /accounts/{a}/workers/scripts/{name}/deployments"
DIGEST = "0123456789abcdef" * 4
HOUR, SOON, PATIENT = 3600.0, 3.0, 30.0
SECRET = "planted-canary-value"
GOOD = "Response.json({ ok: true, path: url.pathname })"
CHECKS = (
    Check(name="version", path="/version", version_at="id", deadline=PATIENT),
    Check(name="health", path="/health?deep=1", json_includes={"ok": True}, deadline=PATIENT),
)


def code(health: str = GOOD, version: str = "Response.json({ id: env.CF_VERSION_METADATA.id })") -> str:
    """A worker with an answer of its own about its health."""
    return f"""let asked = 0;
    export default {{ fetch(request, env) {{
      const url = new URL(request.url);
      asked += 1;
      return url.pathname === "/version" ? {version} : {health};
    }} }};"""


@dataclass
class Release:
    """A worker, the version that serves, and a new one; and what was logged."""

    api: Api
    worker: Body
    old: str
    new: str
    candidate: Candidate
    logged: list[str] = field(default_factory=list)
    at_log: Callable[[str], None] = lambda _: None

    @property
    def script(self) -> str:
        """The name of the worker."""
        return str(self.worker["name"])

    def log(self, text: str) -> None:
        """What a run would log; something may happen at that moment."""
        self.logged.append(text)
        self.at_log(text)

    async def tried(self, account: Account, **changes: object) -> Outcome:
        """Try the new version."""
        candidate = replace(self.candidate, **changes)  # type: ignore[arg-type]
        return (await try_candidates(account, [candidate], DIGEST, self.log))[candidate.worker]

    async def failed(self, account: Account, **changes: object) -> str:
        """The line with which a trial ended."""
        error = (await self.tried(account, **changes)).error
        assert isinstance(error, CraneError)
        assert "\n" not in str(error)
        return str(error)


def release(api: Api, new: str = "", *, old: str = "", checks: tuple[AnyCheck, ...] = CHECKS, **more: object) -> Release:
    """A worker whose old version serves. Its trial is as short as it can be; that of a release has more rounds."""
    worker = api.worker()
    bindings = [{"name": "CF_VERSION_METADATA", "type": "version_metadata"}]
    first = api.upload(worker, old or code(), bindings=bindings)
    second = api.upload(worker, new or code(), **{"bindings": bindings, **more})
    api.deploy(worker, (first, 100))
    target = Target(worker["name"], f"{api.running.edge_url}/{worker['name']}", second["id"], {"KEY": SECRET})
    candidate = Candidate("w", second["id"], target, checks, "production", "0123456789ab", rounds=IN_A_ROW)
    return Release(api, worker, first["id"], second["id"], candidate)


def soon(checks: tuple[Check, ...] = CHECKS) -> tuple[Check, ...]:
    """The checks with a deadline that is soon over."""
    return tuple(check.model_copy(update={"deadline": SOON}) for check in checks)


@contextmanager
def asked_all_the_while(made: Release) -> Iterator[None]:
    """A client asks which version serves. It never meets the new one."""
    traffic = Traffic([Question(f"{made.api.running.edge_url}/{made.script}/version", steady=False)])
    traffic.begin()
    try:
        yield
        assert traffic.asked_again(30) > 0
    finally:
        traffic.end()
    answers = traffic.phase()
    assert (answers.faults, answers.versions) == ([], {httpx.Response(200, json={"id": made.old}).text})


async def active(account: Account, made: Release) -> Deployment:
    """The deployment that serves."""
    return (await account.deployments(made.script))[0]


class TestAGoodCandidate:
    async def test_passes_at_no_share_and_waits_for_its_traffic(self, account: Account, api: Api) -> None:
        made = release(api)
        with asked_all_the_while(made):
            outcome = await made.tried(account, rounds=ENOUGH)
        serving = await active(account, made)
        assert outcome == Outcome(serving.id)
        assert serving.shares == {made.old: 100, made.new: 0}
        assert read_mark(serving.message) == mark("candidate", DIGEST)
        assert made.logged[-1] == f"worker {made.script}: candidate {made.new} passed its 2 checks 22 times"

    async def test_left_by_a_killed_run_is_tried_where_it_waits(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api)
        left = await deploy(account, made.script, {made.old: 100, made.new: 0}, mark("candidate", "f" * 64))
        with faults.fault(ROUTE, Drop("before-read")) as fault:
            assert await made.tried(account, seen=left.id) == Outcome(left.id)
            assert fault.fired == 0

    async def test_takes_the_place_of_one_that_another_run_left(self, account: Account, api: Api) -> None:
        made = release(api)
        other = api.upload(made.worker)["id"]
        await deploy(account, made.script, {made.old: 100, other: 0}, mark("candidate", "f" * 64))
        assert (await made.tried(account)).error is None
        assert (await active(account, made)).shares == {made.old: 100, made.new: 0}

    async def test_passes_once_it_has_arrived_everywhere(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api)
        with faults.behaviour(propagation_seconds=1.0, propagation_mixes=True), asked_all_the_while(made):
            assert (await made.tried(account)).error is None

    async def test_that_serves_already_is_not_tried(self, account: Account, api: Api) -> None:
        made = release(api)
        api.deploy(made.worker, ({"id": made.new}, 100))
        assert (await made.tried(account)).deployment == (await active(account, made)).id
        assert made.logged == []

    async def test_with_another_secret_is_tried_again_after_it_failed(self, account: Account, api: Api) -> None:
        """Cloudflare would refuse a version that was deployed before and has other secrets (10220)."""
        bindings = [{"name": "CF_VERSION_METADATA", "type": "version_metadata"}, {"name": "KEY", "type": "secret_text", "text": "new"}]
        made = release(api, bindings=bindings)
        await made.failed(account, checks=(CHECKS[0], Check(name="missing", path="/", status=404, deadline=PATIENT)))
        assert (await made.tried(account)).error is None


ASKS = """import json, os, sys, urllib.request as web
asked = web.Request(os.environ["CRANE_URL"] + "/version", headers={"Cloudflare-Workers-Version-Overrides": os.environ["CRANE_OVERRIDE"]})
sys.exit(0 if json.load(web.urlopen(asked))["id"] == os.environ["CRANE_VERSION"] else "another version answered")"""
STEPS = StepsCheck(
    name="steps",
    steps=(
        Step(path="/version", version_at="id", take={"version": "id"}),
        Step(path="/{{version}}", json_includes={"ok": True, "path": "/{{version}}"}),
    ),
    mutating=False,
)
COMMAND = CommandCheck(name="command", run=(sys.executable, "-c", ASKS), mutating=False, sends_override=True)


class TestACandidateIsAskedByEveryKindOfCheck:
    async def test_and_passes(self, account: Account, api: Api) -> None:
        made = release(api, checks=(*CHECKS, STEPS, COMMAND))
        with asked_all_the_while(made):
            assert (await made.tried(account)).error is None
        assert made.logged[-1] == f"worker {made.script}: candidate {made.new} passed its 4 checks 6 times"

    @pytest.mark.parametrize(
        ("check", "said"),
        [
            (STEPS, "expected 200, JSON with .* at step 2 .* the last wrong answer to steps was 500 broken"),
            (
                COMMAND.model_copy(
                    update={"run": (sys.executable, "-c", "import os; exit(f'no: {os.environ[\"K\"]}')"), "secrets_in": {"K": "KEY"}}
                ),
                r"the last wrong answer to command was exit code 1 and the output: no: \[secret KEY\]",
            ),
        ],
        ids=["steps", "command"],
    )
    async def test_and_fails(self, account: Account, api: Api, check: AnyCheck, said: str) -> None:
        made = release(api, code("new Response('broken', { status: 500 })"))
        line = await made.failed(account, checks=(CHECKS[0], check))
        assert re.search(said, line)
        assert SECRET not in line
        assert (await active(account, made)).shares == {made.old: 100}


BROKEN = {
    "answers 500": (code("new Response('broken', { status: 500 })"), ": expected 200, JSON"),
    "answers another body": (code("Response.json({ ok: 1 })"), "(ok is different)"),
    "fails once in five requests": (code(f"asked % 5 ? {GOOD} : new Response('oops', {{ status: 500 }})"), "was 500 oops"),
    "throws": (code("nothing.at.all"), "(status 500)"),
    "names no version": (code(version="Response.json({})"), "No answer ever named it: the header"),
    "fails where it names its version": (code(version="new Response('', { status: 500 })"), "500 with an empty body"),
    "repeats a secret": (code("new Response(request.headers.get('x-key'), { status: 500 })"), "[secret KEY]"),
}


class TestABrokenCandidate:
    @pytest.mark.parametrize("broken", BROKEN)
    async def test_never_answers_a_user_and_is_taken_out(self, account: Account, api: Api, broken: str) -> None:
        source, said = BROKEN[broken]
        late = broken in ("names no version", "fails where it names its version")
        keyed = CHECKS[1].model_copy(update={"headers": {"x-key": SecretHeader(secret="KEY")}})
        made = release(api, source)
        with asked_all_the_while(made):
            line = await made.failed(account, checks=soon() if late else (CHECKS[0], keyed), rounds=ENOUGH)
        assert line.startswith(f"{made.script} GET /")
        assert said in line
        assert f"{made.old} still serves everybody, alone. What this release migrated stays" in line
        assert SECRET not in line
        serving = await active(account, made)
        assert serving.shares == {made.old: 100}
        assert read_mark(serving.message) == mark("abort", DIGEST)

    @pytest.mark.parametrize(
        "switches",
        [{"ignores_version_overrides": True}, {"propagation_seconds": HOUR}],
        ids=["the header is ignored", "the old version answers for long"],
    )
    async def test_that_never_answers_has_not_passed(self, account: Account, api: Api, faults: Faults, switches: dict[str, float]) -> None:
        made = release(api)
        with faults.behaviour(**switches), asked_all_the_while(made):
            line = await made.failed(account, checks=soon())
        assert "did not pass within 3 s" in line
        assert "(id names another version)" in line
        assert "may be lost on the way to" in line
        assert (await active(account, made)).shares == {made.old: 100}

    async def test_keeps_the_others_of_its_release_from_getting_traffic(self, account: Account, api: Api) -> None:
        good, bad = release(api), release(api, BROKEN["throws"][0])
        candidates = [replace(good.candidate, worker="good"), replace(bad.candidate, worker="bad")]
        with asked_all_the_while(good), asked_all_the_while(bad):
            outcomes = await try_candidates(account, candidates, DIGEST, good.log)
        assert str(outcomes["good"].error) == (
            f"worker {good.script}: {good.new} gets no traffic, because the candidate of {bad.script} failed. "
            f"{good.old} still serves everybody, alone. Fix that one, then run the same command again."
        )
        assert [(await active(account, made)).shares for made in (good, bad)] == [{good.old: 100}, {bad.old: 100}]


class _Cache(ThreadingHTTPServer):
    """A proxy that answers each URL as it did the first time."""

    daemon_threads = True

    def __init__(self, origin: str) -> None:
        super().__init__(("127.0.0.1", 0), _Cached)
        self.origin, self.kept = origin, dict[str, tuple[int, bytes]]()


class _Cached(BaseHTTPRequestHandler):
    server: _Cache

    def do_GET(self) -> None:
        if self.path not in self.server.kept:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            reply = httpx.get(self.server.origin + self.path, headers=headers, trust_env=False)
            self.server.kept[self.path] = (reply.status_code, reply.content)
        status, body = self.server.kept[self.path]
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cached(api: Api) -> Iterator[Release]:
    """A release behind a cache that knows every answer of the old version."""
    made = release(api)
    cache = _Cache(made.candidate.target.url)
    thread = threading.Thread(target=cache.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{cache.server_port}"
    for check in CHECKS:
        httpx.get(url + check.path, trust_env=False)
    made.candidate = replace(made.candidate, target=replace(made.candidate.target, url=url))
    yield made
    cache.shutdown()
    thread.join()
    cache.server_close()


class TestAnAnswerFromACache:
    async def test_is_never_met_because_each_url_is_new(self, account: Account, cached: Release) -> None:
        assert (await cached.tried(account)).error is None

    async def test_passes_no_candidate_where_a_check_wants_its_url_as_it_is(self, account: Account, cached: Release) -> None:
        exact = tuple(check.model_copy(update={"exact_url": True}) for check in soon())
        assert "(id names another version)" in await cached.failed(account, checks=exact)


class TestWhatCannotBeTried:
    async def test_a_first_version_is_said(self, account: Account, api: Api) -> None:
        worker = api.worker()
        made = release(api)
        target = replace(made.candidate.target, worker=worker["name"])
        assert await made.tried(account, target=target, version=api.upload(worker)["id"]) == Outcome()
        assert made.logged == [
            f"worker {worker['name']}: no version serves yet, so its first one cannot be tried before it does. Its checks run afterwards"
        ]

    @pytest.mark.parametrize(("code", "reason"), [(10211, "Durable Object migration"), (100405, "exports other classes")])
    async def test_a_version_that_cannot_share_a_deployment_needs_a_word_in_production(
        self, account: Account, api: Api, faults: Faults, code: int, reason: str
    ) -> None:
        made = release(api)
        faults.fail(ROUTE, status=400, code=code, times=3)
        before = await active(account, made)
        line = await made.failed(account)
        assert reason in line
        assert "pulumi config set -s production --path workers.w.without-candidate 0123456789ab" in line
        assert await made.tried(account, is_consented=True) == Outcome(before.id)
        assert await made.tried(account, stack="staging") == Outcome(before.id)
        assert [text for text in made.logged if "It gets traffic untried" not in text] == []
        assert await active(account, made) == before

    async def test_a_third_version_beside_two_that_share_the_traffic(self, account: Account, api: Api) -> None:
        made = release(api)
        other = api.upload(made.worker, code())
        shared = api.deploy(made.worker, ({"id": made.old}, 60), (other, 40))
        line = await made.failed(account)
        assert f"two versions share its traffic ({made.old} at 60%, {other['id']} at 40%)" in line
        assert (await active(account, made)).id == shared["id"]
        assert (await made.tried(account, stack="staging")).error is None
        assert (await active(account, made)).shares == {made.old: 100, made.new: 0}

    async def test_a_worker_that_does_not_name_its_version_is_said_and_its_checks_run(self, account: Account, api: Api) -> None:
        made = release(api, BROKEN["answers 500"][0])
        target = replace(made.candidate.target, version_id=None)
        line = await made.failed(account, target=target, checks=soon(CHECKS[1:]))
        assert "broken (status 500)" in line
        assert any("its answers do not name the version" in text for text in made.logged)

    async def test_a_worker_without_a_check_that_only_reads_is_said(self, account: Account, api: Api) -> None:
        made = release(api)
        assert (await made.tried(account, checks=())).error is None
        assert made.logged == [f"worker {made.script}: has no check that only reads, so {made.new} gets traffic untried"]


class TestAnotherDeploymentMeanwhile:
    async def test_before_the_candidate_joins_stops_the_run(self, account: Account, api: Api) -> None:
        made = release(api)
        began = (await active(account, made)).id
        other = api.deploy(made.worker, (api.upload(made.worker, code()), 100))
        assert "somebody else deployed it during this run" in await made.failed(account, seen=began)
        assert (await active(account, made)).id == other["id"]

    async def test_during_the_trial_is_left_as_it_is(self, account: Account, api: Api) -> None:
        made = release(api)
        other = api.upload(made.worker, code())

        def deploys(text: str) -> None:
            if "joined at 0%" in text:
                api.deploy(made.worker, (other, 100))

        made.at_log = deploys
        line = await made.failed(account, checks=soon())
        assert f"Somebody else deployed meanwhile, which was left as it is: {made.script} serves {other['id']} at 100%" in line
        assert (await active(account, made)).shares == {other["id"]: 100}

    async def test_by_another_promotion_at_once_lets_one_of_both_pass_at_most(self, account: Account, api: Api) -> None:
        """Two runs from two state backends, which no lock keeps apart."""
        made = release(api)
        began, third = (await active(account, made)).id, api.upload(made.worker, code())["id"]
        other = replace(made.candidate, version=third, target=replace(made.candidate.target, version_id=third), checks=soon())
        with asked_all_the_while(made):
            first, second = await asyncio.gather(
                made.tried(account, seen=began, checks=soon()), try_candidates(account, [replace(other, seen=began)], "f" * 64, made.log)
            )
        outcomes = [first, *second.values()]
        winners = [outcome for outcome in outcomes if outcome.error is None]
        assert len(winners) <= 1
        serving = await active(account, made)
        assert [outcome.deployment for outcome in winners] == [serving.id] * len(winners)
        assert serving.traffic == {made.old: 100}

    async def test_after_the_trial_keeps_the_traffic_where_it_is(self, account: Account, api: Api) -> None:
        made = release(api)
        passed = await made.tried(account)
        await require_unchanged(account, made.script, passed.deployment)
        api.deploy(made.worker, ({"id": made.old}, 100))
        with pytest.raises(CraneError, match="somebody else deployed it during this run"):
            await require_unchanged(account, made.script, passed.deployment)


class TestTooManyCalls:
    async def test_end_the_run_before_the_candidate_joins_and_the_next_one_tries_again(
        self, account: Account, api: Api, faults: Faults
    ) -> None:
        made = release(api)
        faults.fail(ROUTE, status=429)
        with asked_all_the_while(made):
            assert "limits the calls of this token (429). Wait, then run the same command again." in await made.failed(account)
        assert (await active(account, made)).shares == {made.old: 100}
        assert (await made.tried(account)).error is None


class TestALostReply:
    async def test_to_the_candidate_makes_no_second_one(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api)
        with faults.fault(ROUTE, Drop("after-commit")), asked_all_the_while(made):
            assert (await made.tried(account)).error is None
        assert len(await account.deployments(made.script)) == 2

    async def test_before_the_candidate_joins_ends_the_run_and_the_next_one_tries_again(
        self, account: Account, api: Api, faults: Faults
    ) -> None:
        made = release(api)
        with faults.fault(ROUTE, Drop("before-read")):
            assert "the outcome of a write is unknown" in await made.failed(account)
        assert (await made.tried(account)).error is None

    async def test_to_the_taking_out_is_looked_up(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api, BROKEN["throws"][0])
        with faults.fault(ROUTE, Drop("after-commit"), nth=2), asked_all_the_while(made):
            assert "still serves everybody, alone" in await made.failed(account)
        assert (await active(account, made)).shares == {made.old: 100}

    async def test_before_the_taking_out_leaves_a_candidate_that_nobody_meets(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api, BROKEN["throws"][0])
        with faults.fault(ROUTE, Drop("before-read"), nth=2), asked_all_the_while(made):
            assert "could not be taken out and waits at 0%" in await made.failed(account)
        assert (await active(account, made)).candidate == made.new
