"""What else happens during a trial moves no traffic: another deployment, too many calls, a lost reply."""

import asyncio
from dataclasses import replace

import pytest

from crane_infra.errors import CraneError
from crane_infra.live.account import Account
from crane_infra.traffic.candidate import require_unchanged, try_candidates
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.cloud import Api
from tests.traffic.releases import BROKEN, ROUTE, active, asked_all_the_while, code, release, soon

pytestmark = pytest.mark.cloud


@pytest.mark.usefixtures("clock")
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
        made.at("joined at 0%", lambda: api.deploy(made.worker, (other, 100)))
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
