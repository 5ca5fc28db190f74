"""The stand-in uploads a folder of static assets as the official provider does, and sees its files change; lost answers lose nothing."""

import hashlib
from pathlib import Path

import pytest

from local_cloud.daemon import Running
from local_cloud.errors import LocalCloudError
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error, Then
from local_cloud.provider.api import Api as ProviderApi
from local_cloud.provider.api import RequestError, connected
from local_cloud.provider.assets import manifest_digest, manifest_of
from local_cloud.provider.values import Properties
from local_cloud.provider.version import WorkerVersion
from tests.cloud import Api, Body, modules

GET = "GET /accounts/{a}/workers/workers/{id}"
SESSION = "POST /accounts/{a}/workers/scripts/{name}/assets-upload-session"
BUCKET = "POST /accounts/{a}/workers/assets/upload"
VERSION = "POST /accounts/{a}/workers/workers/{id}/versions"
PRESENT = {"assets": {"directory": "site"}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder of the assets ``site``, with two files."""
    folder = tmp_path / "site"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("v1")
    (folder / "deep" / "page.txt").write_text(f"page of {tmp_path}")
    return folder


def inputs(cloud: Running, worker: Body) -> Properties:
    """A version with assets."""
    (module,) = modules("export default { fetch: () => new Response('script') };")
    return {
        "accountId": cloud.account_id,
        "workerId": worker["id"],
        "compatibilityDate": "2026-01-01",
        "mainModule": module["name"],
        "modules": [{"name": module["name"], "contentType": module["content_type"], "contentBase64": module["content_base64"]}],
        "assets": {"directory": "site", "config": {"notFoundHandling": "404-page"}},
    }


async def create(cloud: Running, worker: Body, site: Path) -> Properties:
    """Create the version and give its outputs."""
    async with connected() as http:
        version = WorkerVersion(site.parent)
        return await version.create(ProviderApi(cloud.api_url, cloud.token, http, lambda: 0.0), version.planned(inputs(cloud, worker), {}))


@pytest.mark.cloud
async def test_the_calls_of_an_upload_come_in_the_order_of_the_official_provider(
    cloud: Running, api: Api, faults: Faults, site: Path
) -> None:
    worker = api.worker()
    faults.reset()
    outputs = await create(cloud, worker, site)
    assert [call["route"] for call in faults.calls()] == [GET, SESSION, BUCKET, VERSION]
    digest = manifest_digest(manifest_of(site))
    assert outputs["assets"] == {"directory": "site", "config": {"notFoundHandling": "404-page"}, "assetManifestSha256": digest}
    api.deploy(worker, (outputs, 100))
    assert [api.edge(worker, path).text for path in ("/", "/deep/page.txt", "/else")] == ["v1", f"page of {site.parent}", "script"]

    faults.reset()
    await create(cloud, worker, site)
    assert [call["route"] for call in faults.calls()] == [GET, SESSION, VERSION]
    async with connected() as http:
        read = await WorkerVersion(site.parent).read(ProviderApi(cloud.api_url, cloud.token, http), outputs)
    assert read is not None
    assert read["assets"] == outputs["assets"]


@pytest.mark.cloud
@pytest.mark.parametrize("route", [GET, SESSION, BUCKET, VERSION])
@pytest.mark.parametrize("then", [Drop("before-read"), Drop("after-read"), Drop("after-commit"), Drop("mid-body"), Error(500)], ids=str)
async def test_a_call_of_the_upload_whose_answer_is_lost_is_sent_again(
    cloud: Running, api: Api, faults: Faults, site: Path, route: str, then: Then
) -> None:
    worker = api.worker()
    with faults.fault(route, then) as fault:
        outputs = await create(cloud, worker, site)
    assert fault.fired == 1
    api.deploy(worker, (outputs, 100))
    assert api.edge(worker, "/deep/page.txt").text == f"page of {site.parent}"


@pytest.mark.cloud
async def test_an_upload_that_is_refused_makes_no_version(cloud: Running, api: Api, faults: Faults, site: Path) -> None:
    worker = api.worker()
    for route in (SESSION, BUCKET):
        with (
            faults.fault(route, Error(403)),
            pytest.raises(RequestError, match=r"^failed to upload assets: POST .* 403 Forbidden") as refused,
        ):
            await create(cloud, worker, site)
        assert cloud.token not in str(refused.value)
    assert api.result("GET", f"/workers/workers/{worker['id']}/versions") == []


def test_the_digest_of_a_folder_is_that_of_the_official_provider(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("v1")
    assert manifest_digest(manifest_of(tmp_path)) == "b098d2898ca7ae5677c7291d97323e7894137515043f3e560f3bd155870eea9e"
    (tmp_path / "index.html").write_text("v2")
    assert manifest_digest(manifest_of(tmp_path)) == "46f07eb8a3fa881af81ce2b6b3fc1627edccf115526aa5c631308c45c75d2fb1"
    (tmp_path / "index.html").rename(tmp_path / "<a&b>.html")
    escaped = '{"/\\u003ca\\u0026b\\u003e.html":{"hash":"' + hashlib.sha256(b"v2").hexdigest()[:32] + '","size":2}}'
    assert manifest_digest(manifest_of(tmp_path)) == hashlib.sha256(escaped.encode()).hexdigest()


def test_a_changed_file_and_another_folder_replace_the_version(site: Path) -> None:
    version = WorkerVersion(site.parent)
    prior = version.planned({"usageModel": "standard", **PRESENT}, {})
    assert version.difference(version.planned(PRESENT, prior), prior).changed == ()
    (site / "index.html").write_text("v2")
    assert version.difference(version.planned(PRESENT, prior), prior).replaces == ("assets",)
    with pytest.raises(LocalCloudError, match="Error reading asset files"):
        version.planned({"assets": {"directory": "gone"}}, prior)
