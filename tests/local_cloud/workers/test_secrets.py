"""Secrets: a change is a new version that serves; no route and no log shows their values."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from local_cloud.faults.client import Faults
from local_cloud.server.app import table
from tests.cloud import HELLO, Api
from tests.local_cloud.workers.forms import files, put_script, sent

pytestmark = pytest.mark.cloud

SHOWS = "export default { fetch: (r, env) => Response.json(env) };"
CANARY = "canary-5417"
KEY = {"name": "KEY", "type": "secret_text", "text": CANARY}


def test_each_change_of_a_secret_is_a_new_version_with_all_traffic(api: Api) -> None:
    script = put_script(api, SHOWS)
    path = f"/workers/scripts/{script['name']}"
    assert api.result("GET", f"{path}/secrets") == []
    shown = {"name": "KEY", "type": "secret_text"}
    assert api.result("PUT", f"{path}/secrets", {**KEY, "text": "one"}) == shown
    assert api.edge(script).json() == {"KEY": "one"}
    assert api.result("PUT", f"{path}/secrets", {**KEY, "text": "two"}) == shown
    assert api.edge(script).json() == {"KEY": "two"}
    assert (api.result("GET", f"{path}/secrets"), api.result("GET", f"{path}/secrets/KEY")) == ([shown], shown)
    assert api.result("DELETE", f"{path}/secrets/KEY?url_encoded=true") is None
    assert api.edge(script).json() == {}
    versions = api.result("GET", f"{path}/versions")["items"]
    assert [version["annotations"]["workers/triggered_by"] for version in versions] == ["secret", "secret", "secret", "upload"]
    deployments = api.result("GET", f"{path}/deployments")["deployments"]
    assert [deployment["annotations"]["workers/triggered_by"] for deployment in deployments] == ["secret", "secret", "secret", "upload"]


def test_many_secrets_change_in_one_version(api: Api) -> None:
    script = put_script(api, SHOWS, bindings=[KEY])
    path = f"/workers/scripts/{script['name']}"
    changes = {"KEY": None, "A": {"name": "A", "type": "secret_text", "text": "a"}, "B": {"type": "secret_text", "text": "b"}}
    assert [secret["name"] for secret in api.result("PATCH", f"{path}/secrets-bulk", {"secrets": changes})] == ["A", "B"]
    assert api.edge(script).json() == {"A": "a", "B": "b"}
    assert len(api.result("GET", f"{path}/versions")["items"]) == 2


def test_simultaneous_changes_wait_for_each_other_and_none_is_lost(api: Api) -> None:
    script = put_script(api, SHOWS, bindings=[KEY])
    path = f"/workers/scripts/{script['name']}"
    secrets = [{"name": f"S{number}", "type": "secret_text", "text": str(number)} for number in range(4)]
    with ThreadPoolExecutor(6) as pool:
        made = [pool.submit(api.result, "PUT", f"{path}/secrets", secret) for secret in secrets]
        made.append(pool.submit(sent, api, "PUT", path, files(SHOWS, keep_bindings=["secret_text"])))
        made.append(pool.submit(api.result, "DELETE", f"{path}/secrets/KEY"))
        assert [bool(changed.result()) for changed in made] == [True] * 5 + [False]
    assert api.edge(script).json() == {secret["name"]: secret["text"] for secret in secrets}
    assert [version["number"] for version in api.result("GET", f"{path}/versions")["items"]] == [7, 6, 5, 4, 3, 2, 1]


def test_no_secret_changes_while_the_latest_version_does_not_serve(api: Api) -> None:
    script = put_script(api, SHOWS)
    path = f"/workers/scripts/{script['name']}"
    latest = sent(api, "POST", f"{path}/versions", files(SHOWS))
    assert api.refusal("PUT", f"{path}/secrets", KEY)[:2] == (400, 10215)
    (first,) = [version for version in api.result("GET", f"{path}/versions")["items"] if version["number"] == 1]
    api.deploy(script, (latest, 10), (first, 90))
    assert api.refusal("PUT", f"{path}/secrets", KEY)[:2] == (400, 10215)
    api.deploy(script, (latest, 100))
    assert api.result("PUT", f"{path}/secrets", KEY)["name"] == "KEY"


@pytest.mark.parametrize("body", [{}, {"name": "", "text": "a"}, {"name": "A"}, {"name": "A", "text": 1}])
def test_a_malformed_secret_is_refused(api: Api, body: object) -> None:
    script = put_script(api)
    assert api.refusal("PUT", f"/workers/scripts/{script['name']}/secrets", body)[0] == 400


@pytest.mark.parametrize("secrets", [None, [], {"A": "text"}, {"A": {"text": 1}}])
def test_malformed_secrets_change_nothing(api: Api, secrets: object) -> None:
    path = f"/workers/scripts/{put_script(api)['name']}"
    assert api.refusal("PATCH", f"{path}/secrets-bulk", {"secrets": secrets})[0] == 400
    if secrets:
        assert api.refusal("PATCH", f"{path.replace('scripts', 'workers')}/versions/latest", {"env": secrets})[0] == 400
    assert len(api.result("GET", f"{path}/versions")["items"]) == 1


def test_no_route_and_no_log_shows_the_value_of_a_secret(api: Api, faults: Faults) -> None:
    """Calls every GET route of the Workers API, including those added later."""
    script = put_script(api, HELLO, bindings=[KEY])
    name = script["name"]
    api.result("PUT", f"/workers/scripts/{name}/secrets", {**KEY, "name": "SECOND"})
    form = sent(api, "POST", f"/workers/scripts/{name}/versions", files(keep_bindings=["secret_text"], bindings=[KEY]))
    (deployment, *_) = api.result("GET", f"/workers/scripts/{name}/deployments")["deployments"]
    texts = {"made": json.dumps([script, form])}
    for route in table():
        method, _, template = route.partition(" ")
        if method == "GET" and ("/workers/" in template):
            path = template.partition("{a}")[2].replace("{vid}", form["id"]).replace("{secret}", "KEY").replace("{name}", name)
            path = path.replace("/deployments/{id}", f"/deployments/{deployment['id']}").replace(
                "/versions/{id}", f"/versions/{form['id']}"
            )
            reply = api.call("GET", path.replace("{id}", name) + "?include=modules")
            assert reply.status_code == 200, route
            texts[route] = reply.text
    assert len(texts) > 15
    assert [route for route, text in texts.items() if CANARY in text] == []
    bad = files("throw new Error('at the top')", bindings=[KEY])
    url = f"{api.running.api_url}/accounts/{api.running.account_id}/workers/scripts/{name}"
    assert CANARY not in api.http.put(url, files=bad).text
    assert CANARY not in (api.running.folder / "cloud.log").read_text()
    assert CANARY not in json.dumps(faults.calls())
