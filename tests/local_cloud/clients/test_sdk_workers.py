"""The official SDK, sync and async, on the local cloud's workers: what comes back fills its typed models.

Versions of scripts are read raw: the SDK (5.x) has an empty class for their bindings, and fails on any reply that has some.
"""

import json
from collections.abc import Iterator
from uuid import uuid4

import cloudflare
import pytest
from cloudflare import AsyncCloudflare, Cloudflare

from local_cloud.daemon import Running
from tests.cloud import HELLO, Api, modules

pytestmark = pytest.mark.cloud

MODULE = ("index.js", HELLO.encode(), "application/javascript+module")
METADATA = {"main_module": "index.js", "compatibility_date": "2026-01-01", "annotations": {"workers_tag": "abc"}}


@pytest.fixture
def sdk(cloud: Running) -> Iterator[Cloudflare]:
    with Cloudflare(api_token=cloud.token, base_url=cloud.api_url, max_retries=0) as client:
        yield client


@pytest.fixture
def name(api: Api) -> str:
    made = f"sdk-{uuid4().hex}"
    api.made.append(made)
    return made


def test_a_script_through_the_sdk(sdk: Cloudflare, cloud: Running, api: Api, name: str) -> None:
    account = cloud.account_id
    script = sdk.workers.scripts.update(name, account_id=account, metadata=METADATA, files=[MODULE])
    assert (script.id, script.has_modules, script.compatibility_date, script.handlers) == (name, True, "2026-01-01", ["fetch"])
    assert script.startup_time_ms >= 0
    assert script.created_on
    (version,) = sdk.workers.scripts.versions.list(name, account_id=account)
    got = sdk.workers.scripts.versions.with_raw_response.get(str(version.id), account_id=account, script_name=name)
    assert (version.number, version.metadata and version.metadata.source) == (1, "api")
    assert json.loads(got.read())["result"]["resources"]["script"]["etag"] == script.etag
    opened = sdk.workers.scripts.subdomain.create(name, account_id=account, enabled=True, previews_enabled=True)
    assert (opened.enabled, sdk.workers.scripts.subdomain.get(name, account_id=account).previews_enabled) == (True, True)
    assert api.edge({"name": name}).text == "hello"
    assert HELLO in sdk.workers.scripts.get(name, account_id=account)
    assert sdk.workers.scripts.content.get(name, account_id=account).read()
    assert not sdk.workers.scripts.subdomain.delete(name, account_id=account).enabled
    assert name in [script.id for script in sdk.workers.scripts.list(account_id=account)]
    sdk.workers.scripts.delete(name, account_id=account)
    with pytest.raises(cloudflare.NotFoundError) as refused:
        sdk.workers.scripts.settings.get(name, account_id=account)
    assert refused.value.errors[0].code == 10007


def test_versions_deployments_and_schedules_through_the_sdk(sdk: Cloudflare, cloud: Running, name: str) -> None:
    account = cloud.account_id
    sdk.workers.scripts.update(name, account_id=account, metadata=METADATA, files=[MODULE])
    raw = sdk.workers.scripts.versions.with_raw_response
    uploaded = json.loads(raw.create(name, account_id=account, metadata=METADATA, files=[MODULE]).read())["result"]
    assert (uploaded["number"], uploaded["metadata"]["has_preview"]) == (2, False)
    assert uploaded["startup_time_ms"] >= 0
    first, second = [version.id for version in sdk.workers.scripts.versions.list(name, account_id=account, deployable=True)][::-1]
    shares = [{"percentage": 90, "version_id": first}, {"percentage": 10, "version_id": second}]
    made = sdk.workers.scripts.deployments.create(
        name,
        account_id=account,
        strategy="percentage",
        versions=shares,
        annotations={"workers_message": "why"},
    )
    assert made.annotations
    assert (made.annotations.workers_message, made.author_email) == ("why", "local@crane.invalid")
    got = sdk.workers.scripts.deployments.get(made.id, account_id=account, script_name=name)
    assert [(share.percentage, share.version_id) for share in got.versions] == [(90, first), (10, second)]
    schedules = sdk.workers.scripts.schedules.update(name, account_id=account, body=[{"cron": "0 3 * * *"}])
    got_schedules = sdk.workers.scripts.schedules.get(name, account_id=account).schedules
    assert [entry.to_dict() for entry in schedules.schedules] == [entry.to_dict() for entry in got_schedules]


def test_settings_and_secrets_through_the_sdk(sdk: Cloudflare, cloud: Running, name: str) -> None:
    account = cloud.account_id
    sdk.workers.scripts.update(name, account_id=account, metadata=METADATA, files=[MODULE])
    changed = sdk.workers.scripts.settings.edit(name, account_id=account, logpush=True, tags=["t"], tail_consumers=[{"service": "tail"}])
    assert (changed.logpush, changed.tags) == (True, ["t"])
    assert changed.tail_consumers
    assert changed.tail_consumers[0].service == "tail"
    assert sdk.workers.scripts.settings.get(name, account_id=account).observability == changed.observability
    put = sdk.workers.scripts.secrets.update(name, account_id=account, name="KEY", text="s3", type="secret_text")
    assert put
    assert put.name == "KEY"
    assert [secret and secret.name for secret in sdk.workers.scripts.secrets.list(name, account_id=account)] == ["KEY"]
    secret = sdk.workers.scripts.secrets.get("KEY", account_id=account, script_name=name)
    assert secret
    assert secret.type == "secret_text"
    bindings = [{"name": "KEY", "type": "inherit"}, {"name": "TTL", "type": "plain_text", "text": "45"}]
    edited = sdk.workers.scripts.script_and_version_settings.edit(name, account_id=account, settings={"bindings": bindings})
    assert [(binding.name, binding.type) for binding in edited.bindings or []] == [("KEY", "secret_text"), ("TTL", "plain_text")]
    got = sdk.workers.scripts.script_and_version_settings.get(name, account_id=account)
    assert [binding.to_dict() for binding in got.bindings or []] == [binding.to_dict() for binding in edited.bindings or []]
    assert (got.usage_model, got.tags) == ("standard", ["t"])
    sdk.workers.scripts.secrets.delete("KEY", account_id=account, script_name=name)
    assert list(sdk.workers.scripts.secrets.list(name, account_id=account)) == []


async def test_workers_through_the_async_sdk(cloud: Running, name: str) -> None:
    account = cloud.account_id
    async with AsyncCloudflare(api_token=cloud.token, base_url=cloud.api_url, max_retries=0) as sdk:
        worker = await sdk.workers.beta.workers.create(account_id=account, name=name)
        version = await sdk.workers.beta.workers.versions.create(
            worker.id,
            account_id=account,
            main_module="index.js",
            modules=modules(HELLO),
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
        assert (await sdk.workers.beta.workers.get(name, account_id=account)).deployed_on == deployed.created_on
        assert [listed.id async for listed in sdk.workers.beta.workers.versions.list(worker.id, account_id=account)] == [version.id]
        full = await sdk.workers.beta.workers.versions.get(version.id, account_id=account, worker_id=worker.id, include="modules")
        assert full.modules
        assert full.modules[0].name == "index.js"
        assert [listed.id async for listed in sdk.workers.scripts.versions.list(name, account_id=account)] == [version.id]
        schedules = await sdk.workers.scripts.schedules.update(name, account_id=account, body=[{"cron": "0 3 * * *"}])
        assert [entry.cron for entry in schedules.schedules] == ["0 3 * * *"]
        assert name in [script.id async for script in sdk.workers.scripts.list(account_id=account)]
        assert (await sdk.workers.subdomains.get(account_id=account)).subdomain == "automation-ab6"
        edited = await sdk.workers.beta.workers.edit(
            worker.id,
            account_id=account,
            name=name,
            tags=["t"],
            logpush=True,
            observability={},
            subdomain={"enabled": True},
            tail_consumers=[],
        )
        assert (edited.tags, edited.subdomain.enabled) == (["t"], True)
        assert (await sdk.user.tokens.verify()).status == "active"
        await sdk.workers.beta.workers.delete(worker.id, account_id=account)


def test_a_wrong_token_is_an_authentication_error(cloud: Running) -> None:
    with Cloudflare(api_token="wrong", base_url=cloud.api_url, max_retries=0) as sdk, pytest.raises(cloudflare.AuthenticationError):
        sdk.workers.scripts.secrets.list("any", account_id=cloud.account_id)


async def test_a_script_through_the_async_sdk(cloud: Running, api: Api, name: str) -> None:
    account = cloud.account_id
    async with AsyncCloudflare(api_token=cloud.token, base_url=cloud.api_url, max_retries=0) as sdk:
        script = await sdk.workers.scripts.update(name, account_id=account, metadata=METADATA, files=[MODULE])
        assert (script.id, script.usage_model) == (name, "standard")
        raw = sdk.workers.scripts.versions.with_raw_response
        uploaded = await raw.create(name, account_id=account, metadata=METADATA, files=[MODULE])
        assert json.loads(await uploaded.read())["result"]["number"] == 2
        with pytest.raises(cloudflare.BadRequestError) as refused:
            await sdk.workers.scripts.secrets.update(name, account_id=account, name="KEY", text="s3", type="secret_text")
        assert refused.value.errors[0].code == 10215
        await sdk.workers.scripts.subdomain.create(name, account_id=account, enabled=True)
        assert (await sdk.workers.scripts.script_and_version_settings.get(name, account_id=account)).compatibility_date == "2026-01-01"
        assert api.edge({"name": name}).text == "hello"
        await sdk.workers.scripts.delete(name, account_id=account, force=True)
