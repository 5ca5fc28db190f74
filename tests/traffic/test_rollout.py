"""Traffic moves in steps: each is watched, a bad one is undone, an unclear one holds, and a client meets the new version at most by its share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, tzinfo
from itertools import count
from typing import Self

import pytest

from crane_infra.commands import rollout as commands
from crane_infra.config.rollout import Rollout
from crane_infra.config.settings import Settings, WorkerSettings
from crane_infra.errors import CheckError, GateError, LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.mark import mark, read_mark
from crane_infra.rehearsal.asking_client import Answers, Question, Traffic
from crane_infra.traffic.candidate import try_candidates
from crane_infra.traffic.rollout import HeldError
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.chance import most_by_luck
from tests.cloud import Api
from tests.traffic.releases import DIGEST, ROUTE, Release, active, code, release

pytestmark = pytest.mark.cloud

STEPS = Rollout(steps=(10, 50), pause=1, patience=120, samples=10)
UNCLEAR = Rollout(steps=(10, 50), pause=1, samples=10_000)
BREAKS = code("asked > 60 ? new Response('worn out', { status: 500 }) : Response.json({ ok: true })")

HOUR = 3600


class PutBack(datetime):
    """A clock that is right once, and an hour late from then on."""

    looks = count()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(datetime.now(tz).timestamp() - HOUR * min(next(cls.looks), 1), tz)


THROWS_FOR_USERS = """export default { fetch(request, env) {
  if (!request.headers.has("cloudflare-workers-version-overrides")) throw new Error("users only");
  return Response.json({ ok: true, id: env.CF_VERSION_METADATA.id });
} };"""


@contextmanager
def asked(made: Release) -> Iterator[dict[int, Answers]]:
    """Clients ask which version serves; what they saw at each step, in percent, is there in the end. 0 is the time before the first one."""
    traffic = Traffic([Question(f"{made.api.running.edge_url}/{made.script}/version", steady=False)] * 4)
    seen, steps = dict[int, Answers](), [0]

    def begins(text: str) -> None:
        if step := re.match(r"rollout: \S+ (\d+)%", text):
            seen[steps[-1]] = traffic.phase()
            steps.append(int(step[1]))

    made.at_log = begins
    traffic.begin()
    try:
        yield seen
        assert traffic.asked_again(60) > 0
    finally:
        traffic.end()
    seen[steps[-1]] = traffic.phase()


def require_its_share(seen: dict[int, Answers], made: Release) -> None:
    """Check that the clients met the new version at each step no more often than its share allows, luck aside."""
    for step, answers in seen.items():
        met = sum(times for body, times in answers.times.items() if made.new in body)
        assert answers.count > 0
        assert met <= most_by_luck(answers.count, step / 100), f"{met} of {answers.count} at {step}%"


async def shares(account: Account, made: Release) -> list[dict[str, float]]:
    """The shares of all deployments, the first one first."""
    return [deployment.shares for deployment in reversed(await account.deployments(made.script))]


class TestARollout:
    async def test_that_goes_well_takes_its_steps_and_waits_for_the_rest(self, account: Account, api: Api) -> None:
        made = release(api)
        with asked(made) as seen:
            outcome = await made.tried(account, rollout=STEPS)
        assert outcome.error is None
        assert list(seen) == [0, 10, 50]
        require_its_share(seen, made)
        assert await shares(account, made) == [
            {made.old: 100},
            *({made.old: 100 - share, made.new: share} for share in (0, 10, 50)),
        ]
        serving = await active(account, made)
        assert (serving.id, read_mark(serving.message)) == (outcome.deployment, mark("canary", DIGEST))
        assert f"rollout: {made.script} 10%; watched for 1 s" in made.logged

    async def test_that_breaks_later_is_undone_and_users_met_it_at_most_by_its_share(self, account: Account, api: Api) -> None:
        made = release(api, BREAKS)
        with asked(made) as seen:
            error = (await made.tried(account, rollout=Rollout(steps=(10, 50), pause=2, patience=120, samples=40))).error
        assert isinstance(error, CheckError)
        assert "the rollout failed with" in str(error)
        assert f"{made.old} still serves everybody, alone" in str(error)
        serving = await active(account, made)
        assert (serving.shares, read_mark(serving.message)) == ({made.old: 100}, mark("abort", DIGEST))
        assert list(seen) == [0, 10]
        require_its_share(seen, made)

    async def test_without_enough_answers_holds_and_the_next_run_goes_on_there(self, account: Account, api: Api) -> None:
        made = release(api)
        outcome = await made.tried(account, rollout=UNCLEAR)
        assert isinstance(outcome.error, HeldError)
        assert "crane rollout continue -s production, or crane rollout abort -s production" in str(outcome.error)
        assert (await active(account, made)).shares == {made.old: 90, made.new: 10}
        assert (await made.tried(account, rollout=STEPS)).error is None
        assert f"rollout: goes on at {made.script} 10%, where an earlier run stopped" in made.logged
        assert (await active(account, made)).shares == {made.old: 50, made.new: 50}

    async def test_that_may_not_go_on_holds_at_its_step(self, account: Account, api: Api) -> None:
        made, asked_for_leave = release(api), list[int]()

        async def once() -> None:
            asked_for_leave.append(1)
            if len(asked_for_leave) > 1:
                raise GateError("production gate closed", "production is frozen by ann: an incident", "Wait, or lift it")

        steps = replace(made.candidate, rollout=STEPS)
        (outcome,) = (await try_candidates(account, [steps], DIGEST, made.log, may_move=once)).values()
        assert str(outcome.error) == (
            f"worker {made.script}: the rollout holds with {made.new} at 10%: production is frozen by ann: an incident. "
            "Wait, or lift it. Then run the same command again; or put the old versions back: crane rollout abort -s production."
        )
        assert (await active(account, made)).shares == {made.old: 90, made.new: 10}

    async def test_whose_deployment_somebody_else_changes_stops_and_leaves_theirs(self, account: Account, api: Api) -> None:
        made = release(api)
        other = api.upload(made.worker, code())
        made.at("10%; watched for", lambda: api.deploy(made.worker, (other, 100)))
        assert "somebody else deployed it during its rollout" in await made.failed(account, rollout=STEPS)
        assert (await active(account, made)).shares == {other["id"]: 100}

    async def test_that_loses_the_reply_to_a_step_makes_it_once(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api)
        with faults.fault(ROUTE, Drop("after-commit"), nth=2):
            assert (await made.tried(account, rollout=STEPS)).error is None
        assert len(await account.deployments(made.script)) == 4

    async def test_of_another_release_is_not_run_over(self, account: Account, api: Api) -> None:
        made = release(api)
        await made.tried(account, rollout=UNCLEAR)
        third = api.upload(made.worker, code())["id"]
        for stack in ("staging", "production"):
            assert f"crane rollout abort -s {stack}" in await made.failed(account, version=third, stack=stack)


class TestCloudflaresNumbers:
    async def test_veto_what_only_users_meet_also_where_the_clock_is_put_back_meanwhile(
        self, account: Account, api: Api, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = release(api, THROWS_FOR_USERS)
        monkeypatch.setattr("crane_infra.traffic.rollout.datetime", PutBack)
        with faults.behaviour(invocations_lag_seconds=0), asked(made):
            line = await made.failed(account, rollout=Rollout(steps=(50,), pause=1, patience=120, samples=60))
        assert "errors in " in line
        assert (await active(account, made)).shares == {made.old: 100}

    async def test_that_are_not_there_are_said_and_the_probes_decide(self, account: Account, api: Api, faults: Faults) -> None:
        made = release(api)
        with faults.behaviour(invocations_by_version=False):
            assert (await made.tried(account, rollout=STEPS)).error is None
        assert any('not known (unknown field "scriptVersion"' in text for text in made.logged)


class TestAPerson:
    async def decided(self, made: Release, settings: Settings) -> list[str]:
        """Status, then abort."""
        own = settings.model_copy(update={"workers": {made.script: WorkerSettings(url=made.candidate.target.url)}})
        said = await commands.status(own)
        await commands.abort(own, said.append)
        return [*said, *await commands.status(own)]

    async def test_sees_where_a_rollout_holds_and_puts_the_old_version_back(self, account: Account, api: Api, settings: Settings) -> None:
        made = release(api)
        await made.tried(account, rollout=UNCLEAR)
        assert await self.decided(made, settings) == [
            f"worker {made.script}: {made.new} of release {DIGEST[:12]} at 10%, {made.old} serves the rest",
            f"worker {made.script}: {made.old} serves everybody again, alone",
            "no rollout is under way",
        ]

    async def test_is_told_where_there_is_none(self, api: Api, settings: Settings) -> None:
        made = release(api)
        with pytest.raises(LiveError, match="no rollout is under way in production"):
            await self.decided(made, settings)


def test_the_old_version_is_the_one_that_served_alone_before() -> None:
    step, candidate = mark("canary", DIGEST).message, mark("candidate", DIGEST).message
    listed = [
        Deployment("3", {"v1": 50.0, "v2": 50.0}, message=step),
        Deployment("2", {"v1": 100.0, "v2": 0.0}, message=candidate),
        Deployment("1", {"v1": 100.0}),
    ]
    rolling = commands.rolling_of("w", "w", listed)
    assert rolling is not None
    assert (rolling.old, rolling.new, rolling.share) == ("v1", "v2", 50)
    assert commands.rolling_of("w", "w", listed[2:]) is None
    assert commands.rolling_of("w", "w", [replace(listed[0], message="by hand"), *listed[1:]]) is None
