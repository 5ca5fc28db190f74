"""Versions: what they inherit, which may be deployed, how many are kept, and deploying one in the same call."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from local_cloud.daemon import Running
from local_cloud.envelope import Refusal
from local_cloud.lock import is_free_within
from local_cloud.workers.routes.upload_form import LARGEST_BODY, read
from tests.cloud import Api, api_of, upload_body
from tests.local_cloud.workers.forms import files, put_script, refused, says, sent

pytestmark = pytest.mark.cloud

SHOWS = "export default { fetch: (r, env) => Response.json(Object.entries(env).sort()) };"
KEY = {"name": "KEY", "type": "secret_text", "text": "s3"}
TTL = {"name": "TTL", "type": "plain_text", "text": "45"}


def test_an_uploaded_version_can_be_deployed_in_the_same_call(api: Api) -> None:
    worker = api.worker()
    version = api.result("POST", f"/workers/workers/{worker['id']}/versions?deploy=true", upload_body())
    assert api.edge(worker).text == "hello"
    (deployment,) = api.result("GET", f"/workers/scripts/{worker['name']}/deployments")["deployments"]
    assert deployment["versions"] == [{"percentage": 100, "version_id": version["id"]}]


def test_bindings_are_inherited_from_the_latest_version_even_renamed(api: Api) -> None:
    worker = api.worker()
    api.upload(worker, SHOWS, bindings=[{**KEY, "text": "older"}])
    api.upload(worker, SHOWS, bindings=[KEY, TTL])
    bindings = [
        {"name": "KEY", "type": "inherit"},
        {"name": "NEW", "type": "inherit", "old_name": "TTL", "version_id": "latest"},
        {"name": "NONE", "type": "inherit"},
    ]
    version = api.upload(worker, SHOWS, bindings=bindings)
    assert version["bindings"] == [{"name": "KEY", "type": "secret_text"}, {**TTL, "name": "NEW"}]
    api.deploy(worker, (version, 100))
    assert api.edge(worker).json() == [["KEY", "s3"], ["NEW", "45"]]


def test_in_strict_mode_a_binding_that_cannot_be_inherited_is_refused(api: Api) -> None:
    worker = api.worker()
    path = f"/workers/workers/{worker['id']}/versions?bindings_inherit=strict"
    body = upload_body(bindings=[{"name": "NONE", "type": "inherit"}])
    text = "inherit binding 'NONE' is invalid: previous version does not have binding named 'NONE'"
    assert api.refusal("POST", path, body) == (400, 10057, text)
    script = put_script(api)
    strict = f"/workers/scripts/{script['name']}/versions?bindings_inherit=strict"
    assert refused(api, "POST", strict, files(bindings=body["bindings"])) == (400, 10057, text)


def test_only_the_latest_version_can_be_inherited_from(api: Api) -> None:
    worker = api.worker()
    first = api.upload(worker, bindings=[KEY])
    body = upload_body(bindings=[{"name": "KEY", "type": "inherit", "version_id": first["id"]}])
    text = f"inherit binding 'KEY' is invalid: 'version_id' value '{first['id']}' is invalid, only the literal 'latest' is supported by this API"
    assert api.refusal("POST", f"/workers/workers/{worker['id']}/versions", body) == (400, 10057, text)


def test_a_form_keeps_the_bindings_of_the_types_it_names_and_no_others(api: Api) -> None:
    script = put_script(api, SHOWS, bindings=[KEY, {**KEY, "name": "OTHER"}, TTL])
    path = f"/workers/scripts/{script['name']}"
    again = files(SHOWS, keep_bindings=["secret_text", "secret_key"], bindings=[{**KEY, "name": "OTHER", "text": "new"}])
    sent(api, "PUT", path, again)
    assert api.edge(script).json() == [["KEY", "s3"], ["OTHER", "new"]]
    sent(api, "PUT", path, files(SHOWS))
    assert api.edge(script).json() == []


def test_a_version_that_was_uploaded_as_a_form_gets_no_traffic(api: Api) -> None:
    script = put_script(api, says("old"))
    version = sent(api, "POST", f"/workers/scripts/{script['name']}/versions", files(says("new")))
    assert version["number"] == 2
    assert api.edge(script).text == "old"
    api.deploy(script, (version, 100))
    assert api.edge(script).text == "new"


def test_an_old_version_with_other_secrets_is_deployed_only_by_force(api: Api) -> None:
    worker = api.worker()
    old, new = (api.upload(worker, SHOWS, bindings=[{**KEY, "text": text}]) for text in ("one", "two"))
    api.deploy(worker, (old, 100))
    api.deploy(worker, (new, 100))
    path = f"/workers/scripts/{worker['name']}/deployments"
    body = {"strategy": "percentage", "versions": [{"version_id": old["id"], "percentage": 100}]}
    status, code, text = api.refusal("POST", path, body)
    assert (status, code) == (400, 10220)
    assert text.endswith("The following secrets have changed: KEY")
    assert api.edge(worker).json() == [["KEY", "two"]]
    api.result("POST", f"{path}?force=true", body)
    assert api.edge(worker).json() == [["KEY", "one"]]


def _fill(api: Api, worker: dict[str, Any], count: int) -> None:
    """Give a worker many copies of its last version, faster than uploads would."""
    with sqlite3.connect(api.running.folder / "state.sqlite", timeout=60) as state:
        (text,) = state.execute(
            "SELECT body FROM records WHERE kind = 'version' AND parent = ? ORDER BY seq DESC", (worker["id"],)
        ).fetchone()
        body = json.loads(text)
        for number in range(body["number"] + 1, body["number"] + 1 + count):
            ident = f"10ca1{number:03x}-0000-4000-8000-{worker['id'][-12:]}"
            copy = json.dumps({**body, "id": ident, "number": number})
            state.execute("INSERT INTO records(kind, id, parent, body) VALUES('version', ?, ?, ?)", (ident, worker["id"], copy))
    state.close()


def test_only_the_last_100_versions_can_be_deployed_and_older_ones_lose_their_code_and_secrets(api: Api) -> None:
    worker = api.worker()
    first, served = (api.upload(worker, SHOWS, bindings=[{**KEY, "text": "canary-aged"}]) for _ in range(2))
    api.deploy(worker, (served, 100))
    _fill(api, worker, 98)
    path = f"/workers/scripts/{worker['name']}"
    assert len(api.result("GET", f"{path}/versions?deployable=true")["items"]) == 100
    api.deploy(worker, (first, 0), (served, 100))
    api.deploy(worker, (served, 100))
    api.upload(worker)
    body = {"strategy": "percentage", "versions": [{"version_id": first["id"], "percentage": 100}]}
    assert api.refusal("POST", f"{path}/deployments", body)[:2] == (404, 100146)
    assert first["id"] not in [version["id"] for version in api.result("GET", f"{path}/versions?deployable=true")["items"]]
    assert api.result("GET", f"{path}/versions/{first['id']}")["number"] == 1
    assert api.result("GET", f"/workers/workers/{worker['id']}/versions/{first['id']}?include=modules")["modules"] == []
    api.upload(worker)
    kept = api.result("GET", f"/workers/workers/{worker['id']}/versions/{served['id']}?include=modules")
    assert kept["modules"] != []
    assert api.edge(worker).json() == [["KEY", "canary-aged"]]


@pytest.mark.parametrize("env", [{"KEY": {"type": "secret_text", "text": "new"}}, {"KEY": None}])
def test_the_secrets_of_the_latest_version_change_in_a_new_one_without_traffic(api: Api, env: dict[str, Any]) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, SHOWS, bindings=[KEY, TTL]), 100))
    annotations = {"workers/message": "why", "workers/tag": None}
    changed = api.result("PATCH", f"/workers/workers/{worker['name']}/versions/latest", {"env": env, "annotations": annotations})
    assert (changed["number"], changed["annotations"]["workers/message"]) == (2, "why")
    assert api.edge(worker).json() == [["KEY", "s3"], ["TTL", "45"]]
    api.deploy(worker, (changed, 100))
    assert api.edge(worker).json() == [*([["KEY", "new"]] if env["KEY"] else []), ["TTL", "45"]]


def test_a_worker_without_versions_has_no_latest_one_to_change(api: Api) -> None:
    assert api.refusal("PATCH", f"/workers/workers/{api.worker()['id']}/versions/latest", {"env": {}})[:2] == (404, 10222)


def test_acknowledged_changes_survive_a_kill(begin: Callable[..., Running], tmp_path: Path) -> None:
    first = begin(tmp_path / "cloud")
    with api_of(first).http as http:
        script = put_script(Api(first, http), SHOWS, bindings=[TTL])
        Api(first, http).result("PUT", f"/workers/scripts/{script['name']}/secrets", KEY)
        version = sent(Api(first, http), "POST", f"/workers/scripts/{script['name']}/versions", files(says("preview")))
    os.kill(first.pid, signal.SIGKILL)
    assert is_free_within(tmp_path / "cloud", 60)
    second = begin(tmp_path / "cloud")
    with api_of(second).http as http:
        again = Api(second, http)
        assert again.edge(script).json() == [["KEY", "s3"], ["TTL", "45"]]
        assert again.edge({"name": f"{version['id'][:8]}-{script['name']}"}).text == "preview"
        assert [version["number"] for version in again.result("GET", f"/workers/scripts/{script['name']}/versions")["items"]] == [3, 2, 1]


async def test_an_upload_over_the_size_limit_is_refused() -> None:
    sent_chunks = []

    async def receive() -> dict[str, Any]:
        sent_chunks.append(1)
        return {"type": "http.request", "body": bytes(2**20), "more_body": True}

    with pytest.raises(Refusal, match="exceeded the size limit") as too_large:
        await read(Request({"type": "http", "headers": []}, receive))
    assert (too_large.value.status, too_large.value.code) == (413, 10027)
    assert len(sent_chunks) == LARGEST_BODY // 2**20 + 1
