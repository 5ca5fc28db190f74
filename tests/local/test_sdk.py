"""The official SDK, with its typed models, on the local cloud."""

import cloudflare
import pytest
from cloudflare import AsyncCloudflare, Cloudflare

from crane_infra.local.daemon import Running
from tests.local.conftest import HELLO, modules


async def test_workers_through_the_async_sdk(cloud: Running) -> None:
    account, name = cloud.account_id, "through-the-async-sdk"
    async with AsyncCloudflare(api_token=cloud.token, base_url=cloud.api_url, max_retries=0) as sdk:
        worker = await sdk.workers.beta.workers.create(account_id=account, name=name)
        version = await sdk.workers.beta.workers.versions.create(
            worker.id,
            account_id=account,
            main_module="index.js",
            modules=modules(HELLO),  # type: ignore[arg-type]
            compatibility_date="2026-01-01",
            annotations={"workers_tag": "abc"},
        )
        deployed = await sdk.workers.scripts.deployments.create(
            name, account_id=account, strategy="percentage", versions=[{"percentage": 100, "version_id": version.id}]
        )
        got = await sdk.workers.scripts.deployments.get(deployed.id, account_id=account, script_name=name)
        assert (got.versions[0].version_id, got.created_on) == (version.id, deployed.created_on)
        assert version.annotations
        assert version.annotations.workers_tag == "abc"
        assert [found.id async for found in sdk.workers.scripts.versions.list(name, account_id=account)] == [version.id]
        schedules = await sdk.workers.scripts.schedules.update(name, account_id=account, body=[{"cron": "0 3 * * *"}])
        assert [entry.cron for entry in schedules.schedules] == ["0 3 * * *"]
        assert name in [script.id async for script in sdk.workers.scripts.list(account_id=account)]
        assert (await sdk.workers.subdomains.get(account_id=account)).subdomain == "automation-ab6"
        assert (await sdk.user.tokens.verify()).status == "active"  # type: ignore[union-attr]
        await sdk.workers.beta.workers.delete(worker.id, account_id=account)


def test_a_wrong_token_is_an_authentication_error(cloud: Running) -> None:
    with Cloudflare(api_token="wrong", base_url=cloud.api_url, max_retries=0) as sdk, pytest.raises(cloudflare.AuthenticationError):
        sdk.d1.database.list(account_id=cloud.account_id)
