"""A version that has not passed its checks answers nobody: it is tried at 0 %, and taken out again where it fails.

A client asks the live address all the while. Each broken deploy ends with the old version alone, and with one line that says why.
"""

import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from crane_infra.checks.model import AnyCheck, Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.live.account import Account
from crane_infra.live.mark import mark, read_mark
from crane_infra.traffic.candidate import try_candidates
from crane_infra.traffic.deploy import deploy
from crane_infra.traffic.outcome import Outcome
from crane_infra.traffic.series import ENOUGH
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.cloud import Api
from tests.traffic.releases import (
    BROKEN,
    CHECKS,
    DIGEST,
    HOUR,
    PATIENT,
    ROUTE,
    SECRET,
    Release,
    active,
    asked_all_the_while,
    code,
    release,
    soon,
)

pytestmark = pytest.mark.cloud


class TestAGoodCandidate:
    async def test_passes_at_no_share_and_waits_for_its_traffic(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api)
        faults.reset()
        with asked_all_the_while(made):
            outcome = await made.tried(account, rounds=ENOUGH)
        assert [call["method"] for call in faults.calls()] == ["GET", "POST"]  # one look, and the candidate joins
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


@pytest.mark.usefixtures("clock")
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
        assert "did not pass within 20 s" in line
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
            reply = httpx.get(self.server.origin + self.path, headers=headers, trust_env=False, timeout=60)
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
        httpx.get(url + check.path, trust_env=False, timeout=60)
    made.candidate = replace(made.candidate, target=replace(made.candidate.target, url=url))
    yield made
    cache.shutdown()
    thread.join()
    cache.server_close()


class TestAnAnswerFromACache:
    async def test_is_never_met_because_each_url_is_new(self, account: Account, cached: Release) -> None:
        assert (await cached.tried(account)).error is None

    @pytest.mark.usefixtures("clock")
    async def test_passes_no_candidate_where_a_check_wants_its_url_as_it_is(self, account: Account, cached: Release) -> None:
        exact = tuple(check.model_copy(update={"exact_url": True}) for check in soon())
        assert "(id names another version)" in await cached.failed(account, checks=exact)
