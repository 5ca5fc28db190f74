"""A version that cannot be tried before it serves is said; in production it needs the user's word."""

from dataclasses import replace

import pytest

from crane_infra.live.account import Account
from crane_infra.traffic.outcome import Outcome
from local_cloud.faults.client import Faults
from tests.cloud import Api
from tests.traffic.releases import BROKEN, CHECKS, ROUTE, active, code, release, soon

pytestmark = pytest.mark.cloud


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

    async def test_a_version_with_a_durable_object_migration_is_said_and_needs_no_word(self, account: Account, api: Api) -> None:
        made = release(api)
        before = await active(account, made)
        assert await made.tried(account, brings_classes=True) == Outcome(before.id)
        assert made.logged == [
            f"worker {made.script}: its Durable Object migration goes to all traffic at once, so {made.new} gets traffic untried"
        ]
        api.deploy(made.worker, ({"id": made.old}, 60), (api.upload(made.worker, code()), 40))
        assert "two versions share its traffic" in await made.failed(account, brings_classes=True)

    async def test_a_third_version_beside_two_that_share_the_traffic(self, account: Account, api: Api) -> None:
        made = release(api)
        other = api.upload(made.worker, code())
        shared = api.deploy(made.worker, ({"id": made.old}, 60), (other, 40))
        line = await made.failed(account)
        assert f"two versions share its traffic ({made.old} at 60%, {other['id']} at 40%)" in line
        assert (await active(account, made)).id == shared["id"]
        assert (await made.tried(account, stack="staging")).error is None
        assert (await active(account, made)).shares == {made.old: 100, made.new: 0}

    @pytest.mark.usefixtures("clock")
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
