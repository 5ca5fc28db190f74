"""The stand-in takes a module as a content or as a file, as the official provider does: Cloudflare gets the same, and only another content is another code.

What the official provider does was measured with its resource, built from its sources; see docs/decisions/0061.
"""

import base64
from pathlib import Path
from typing import Any

import pytest

from local_cloud.daemon import Running
from local_cloud.errors import LocalCloudError
from local_cloud.faults.client import Faults
from local_cloud.provider.api import Api as ProviderApi
from local_cloud.provider.api import connected
from local_cloud.provider.values import UNKNOWN, Properties
from local_cloud.provider.version import WorkerVersion
from tests.cloud import Api

CODE, OTHER = "export default { fetch: () => new Response('one') };\n", "export default { fetch: () => new Response('two') };\n"
NAMED = {"name": "index.js", "contentType": "application/javascript+module"}
NOT_ONE = {"modules": "each of them needs contentBase64 or contentFile, and not both"}
BOUND = [{"name": "A", "type": "plain_text", "text": "1"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the program, with two files of code, one of them twice."""
    for name, text in {"one.js": CODE, "same.js": CODE, "two.js": OTHER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def of_file(name: str, **more: Any) -> Properties:  # noqa: ANN401 (JSON)
    return {"modules": [{**NAMED, "contentFile": name}], **more}


def of_content(text: str, **more: Any) -> Properties:  # noqa: ANN401 (JSON)
    return {"modules": [{**NAMED, "contentBase64": base64.b64encode(text.encode()).decode()}], **more}


@pytest.mark.cloud
async def test_cloudflare_gets_the_same_of_a_file_and_of_a_content(cloud: Running, api: Api, faults: Faults, folder: Path) -> None:
    worker = api.worker()
    version = WorkerVersion(folder)
    declared = {"accountId": cloud.account_id, "workerId": worker["id"], "compatibilityDate": "2026-01-01", "mainModule": "index.js"}
    outputs: list[Properties] = []
    async with connected() as http:
        provider = ProviderApi(cloud.api_url, cloud.token, http)
        for inputs in (of_file("one.js"), of_content(CODE)):
            faults.reset()
            outputs.append(await version.create(provider, version.planned({**declared, **inputs}, {})))
        (folder / "one.js").unlink()
        refreshed = [await version.read(provider, made) for made in outputs]
    shown = [api.result("GET", f"/workers/workers/{worker['id']}/versions/{made['id']}?include=modules")["modules"] for made in outputs]
    assert shown[0] == shown[1]
    assert [read["modules"] for read in refreshed if read] == [made["modules"] for made in outputs]
    (by_file,), (by_content,) = (made["modules"] for made in outputs)
    assert by_file.keys() == {*NAMED, "contentFile", "contentSha256"}
    assert by_content["contentSha256"] == by_file["contentSha256"]
    api.deploy(worker, (outputs[0], 100))
    assert api.edge(worker).text == "one"


@pytest.mark.parametrize(
    ("before", "after", "changed", "replaces"),
    [
        (of_file("one.js"), of_file("one.js"), (), ()),
        (of_file("one.js"), of_file("two.js"), ("modules",), ("modules",)),
        (of_file("one.js"), of_file("same.js"), ("modules",), ()),
        (of_content(CODE), of_file("one.js"), ("modules",), ()),
        (of_content(CODE), of_file("two.js"), ("modules",), ("modules",)),
        (of_file("one.js"), of_content(CODE), ("modules",), ()),
        (of_content(CODE, bindings=BOUND), of_file("one.js", bindings=BOUND), ("modules",), ("bindings",)),
    ],
    ids=["nothing", "a content", "a path", "content to file", "both", "file to content", "content to file beside bindings"],
)
def test_a_change_of_modules(
    folder: Path, before: Properties, after: Properties, changed: tuple[str, ...], replaces: tuple[str, ...]
) -> None:
    """The path alone is no change of the code, but any change replaces a version that has bindings."""
    version = WorkerVersion(folder)
    prior = version.planned(before, {})
    difference = version.difference(version.planned(after, prior), prior)
    assert (difference.changed, difference.replaces) == (changed, replaces)


def test_a_file_that_changes_under_its_path_replaces_the_version(folder: Path) -> None:
    version = WorkerVersion(folder)
    prior = version.planned(of_file("one.js"), {})
    (folder / "one.js").write_text(OTHER, encoding="utf-8")
    assert version.difference(version.planned(of_file("one.js"), prior), prior).replaces == ("modules",)


@pytest.mark.parametrize("modules", [UNKNOWN, [UNKNOWN], [{**NAMED, "contentFile": UNKNOWN}], [{**NAMED, "contentBase64": UNKNOWN}]])
def test_what_a_preview_does_not_know_yet_is_a_change(folder: Path, modules: object) -> None:
    version = WorkerVersion(folder)
    prior = version.planned(of_file("one.js"), {})
    planned = version.planned({"modules": modules}, prior)
    assert planned["modules"] == modules
    assert version.difference(planned, prior).replaces == ("modules",)


def test_a_file_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(LocalCloudError, match=r"open gone\.js: no such file or directory"):
        WorkerVersion(folder).planned(of_file("gone.js"), {})


@pytest.mark.parametrize(
    ("module", "problems"),
    [
        (NAMED, NOT_ONE),
        ({**NAMED, "contentFile": "one.js", "contentBase64": "MQ=="}, NOT_ONE),
        ({**NAMED, "contentFile": "one.js"}, {}),
        ({**NAMED, "contentBase64": "MQ=="}, {}),
    ],
)
def test_a_module_has_a_content_or_a_file(module: Properties, problems: Properties) -> None:
    assert WorkerVersion().problems({"accountId": "a", "workerId": "w", "modules": [module]}) == problems
