"""Traffic moves by one deployment, which says who made it; a lost reply makes no second one, and a refusal none at all."""

import pytest

from crane_infra.d1.errors import RefusedError, WriteOutcomeUnknown
from crane_infra.live.account import Account
from crane_infra.live.mark import mark, read_mark
from crane_infra.traffic.deploy import deploy
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.cloud import Api, Body

pytestmark = pytest.mark.cloud

ROUTE = "POST /accounts/{a}/workers/scripts/{name}/deployments"
MARK = mark("candidate", "0123456789abcdef" * 4)


@pytest.fixture
def versions(api: Api) -> tuple[Body, str, str]:
    """A worker, the version that serves, and one that waits."""
    worker = api.worker()
    old, new = api.upload(worker), api.upload(worker)
    api.deploy(worker, (old, 100))
    return worker, old["id"], new["id"]


async def test_a_version_joins_at_no_share_and_the_deployment_says_for_which_release(
    account: Account, versions: tuple[Body, str, str]
) -> None:
    worker, old, new = versions
    made = await deploy(account, worker["name"], {old: 100, new: 0}, MARK)
    active = (await account.deployments(worker["name"]))[0]
    assert active == made
    assert active.shares == {old: 100, new: 0}
    assert read_mark(active.message) == MARK


async def test_a_lost_reply_makes_no_second_deployment(account: Account, versions: tuple[Body, str, str], faults: Faults) -> None:
    worker, old, new = versions
    with faults.fault(ROUTE, Drop("after-commit")):
        made = await deploy(account, worker["name"], {old: 100, new: 0}, MARK)
    listed = await account.deployments(worker["name"])
    assert (len(listed), listed[0]) == (2, made)


async def test_a_call_that_never_arrives_has_an_unknown_outcome(account: Account, versions: tuple[Body, str, str], faults: Faults) -> None:
    worker, old, new = versions
    with faults.fault(ROUTE, Drop("before-read")), pytest.raises(WriteOutcomeUnknown):
        await deploy(account, worker["name"], {old: 100, new: 0}, MARK)
    assert len(await account.deployments(worker["name"])) == 1


async def test_the_same_deployment_from_before_is_not_taken_for_the_lost_one(
    account: Account, versions: tuple[Body, str, str], faults: Faults
) -> None:
    worker, old, new = versions
    await deploy(account, worker["name"], {old: 100, new: 0}, MARK)
    with faults.fault(ROUTE, Drop("before-read")), pytest.raises(WriteOutcomeUnknown):
        await deploy(account, worker["name"], {old: 100, new: 0}, MARK)


async def test_a_version_that_is_gone_is_refused_by_name(account: Account, versions: tuple[Body, str, str]) -> None:
    worker, old, _ = versions
    with pytest.raises(RefusedError, match="requested Worker version could not be found"):
        await deploy(account, worker["name"], {old: 100, "10ca0000-0000-4000-8000-000000000000": 0}, MARK)
