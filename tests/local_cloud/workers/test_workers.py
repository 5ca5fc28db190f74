"""Workers: uploaded, deployed and answering; what is bad is refused at upload, and a secret never comes back."""

import json
from typing import Any

import httpx
import pytest

from local_cloud.ids import is_local
from tests.cloud import HELLO, Api, upload_body

pytestmark = pytest.mark.cloud

ECHO = """export default { async fetch(request, env) {
  const body = await request.text();
  return Response.json({ url: request.url, method: request.method, body, x: request.headers.get("x-y"), env }, { status: 203 });
} };"""
UNKNOWN = "10ca1000-0000-4000-8000-000000000000"


def says(text: str) -> str:
    return f"export default {{ fetch: () => new Response({json.dumps(text)}) }};"


def test_an_uploaded_and_deployed_version_answers(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    assert api.edge(worker).text == "hello"


def test_a_version_that_is_only_uploaded_gets_no_traffic(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, says("old")), 100))
    api.upload(worker, says("new"))
    assert api.edge(worker).text == "old"


def test_a_new_deployment_takes_over_and_an_old_version_can_come_back(api: Api) -> None:
    worker = api.worker()
    old, new = api.upload(worker, says("old")), api.upload(worker, says("new"))
    answers = []
    for version in (old, new, old):
        api.deploy(worker, (version, 100))
        answers.append(api.edge(worker).text)
    assert answers == ["old", "new", "old"]


def test_a_version_with_no_percentage_is_never_drawn_and_both_others_are(api: Api) -> None:
    worker = api.worker()
    one, two = api.upload(worker, says("one")), api.upload(worker, says("two"))
    api.deploy(worker, (one, 100), (two, 0))
    assert {api.edge(worker).text for _ in range(30)} == {"one"}
    api.deploy(worker, (one, 50), (two, 50))
    assert {api.edge(worker).text for _ in range(60)} == {"one", "two"}


def test_a_request_passes_through_whole(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, ECHO), 100))
    reply = api.edge(worker, "/a%20b/c?d=e&d=f", "PUT", headers={"x-y": "z", "crane-version": "other"}, content="body")
    assert reply.status_code == 203
    seen = reply.json()
    assert seen["url"] == f"https://{worker['name']}.automation-ab6.workers.dev/a%20b/c?d=e&d=f"
    assert (seen["method"], seen["body"], seen["x"]) == ("PUT", "body", "z")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_reaches_the_worker(api: Api, method: str) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, "export default { fetch: (r) => new Response(null, { headers: { m: r.method } }) };"), 100))
    assert api.edge(worker, method=method).headers["m"] == method


def test_a_reply_passes_through_whole(api: Api) -> None:
    code = """export default { fetch() {
      const headers = new Headers({ location: "https://elsewhere.example/" });
      headers.append("set-cookie", "a=1"); headers.append("set-cookie", "b=2");
      return new Response("moved", { status: 302, headers });
    } };"""
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, code), 100))
    reply = api.edge(worker)
    assert (reply.status_code, reply.text, reply.headers["location"]) == (302, "moved", "https://elsewhere.example/")
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_worker_that_throws_answers_500_and_goes_on(api: Api) -> None:
    worker = api.worker()
    code = "let n = 0; export default { fetch() { if (!n++) throw new Error('boom'); return new Response('fine'); } };"
    api.deploy(worker, (api.upload(worker, code), 100))
    assert [api.edge(worker).status_code for _ in range(2)] == [500, 200]


def test_bindings_reach_the_worker(api: Api) -> None:
    worker, database = api.worker(), api.database()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES('from d1')")
    code = """export default { async fetch(request, env) {
      const { a } = await env.DB.prepare("SELECT a FROM t").first();
      await env.DB.prepare("INSERT INTO t VALUES('from worker')").run();
      return Response.json([env.TEXT, env.KEY, env.JSON.b, a]);
    } };"""
    bindings = [
        {"name": "TEXT", "type": "plain_text", "text": "45"},
        {"name": "KEY", "type": "secret_text", "text": "s3"},
        {"name": "JSON", "type": "json", "json": {"b": [1]}},
        {"name": "DB", "type": "d1", "database_id": database},
    ]
    api.deploy(worker, (api.upload(worker, code, bindings=bindings), 100))
    assert api.edge(worker).json() == ["45", "s3", [1], "from d1"]
    assert api.query(database, "SELECT a FROM t") == [[{"a": "from d1"}, {"a": "from worker"}]]


def test_a_version_knows_its_id_and_tag(api: Api) -> None:
    worker = api.worker()
    binding = {"name": "VERSION", "type": "version_metadata"}
    version = api.upload(worker, ECHO, bindings=[binding], annotations={"workers/tag": "abc"})
    api.deploy(worker, (version, 100))
    assert api.edge(worker).json()["env"]["VERSION"] == {"id": version["id"], "tag": "abc", "timestamp": version["created_on"]}


def test_a_service_binding_reaches_the_other_workers_active_version(api: Api) -> None:
    back, front = api.worker(), api.worker()
    api.deploy(back, (api.upload(back, says("back 1")), 100))
    code = "export default { fetch: (request, env) => env.BACK.fetch(request) };"
    api.deploy(front, (api.upload(front, code, bindings=[{"name": "BACK", "type": "service", "service": back["name"]}]), 100))
    assert api.edge(front).text == "back 1"
    api.deploy(back, (api.upload(back, says("back 2")), 100))
    assert api.edge(front).text == "back 2"


def test_no_deployment_a_closed_subdomain_and_an_unknown_script_answer_404(api: Api) -> None:
    worker = api.worker()
    assert api.edge(worker).status_code == 404
    api.deploy(worker, (api.upload(worker), 100))
    assert api.edge(worker).status_code == 200
    closed = api.result("PATCH", f"/workers/workers/{worker['id']}", {"subdomain": {"enabled": False}})
    assert closed["subdomain"] == {"enabled": False, "previews_enabled": True}
    assert api.edge(worker).status_code == 404
    assert api.edge({"name": "nobody"}).status_code == 404


def test_an_upload_answers_in_the_shape_that_the_provider_was_recorded_with(api: Api) -> None:
    worker = api.worker()
    bindings = [{"name": "KEY", "type": "secret_text", "text": "one"}, {"name": "TTL", "type": "plain_text", "text": "45"}]
    annotations = {"workers/message": "release 1", "workers/tag": "abc"}
    sent = upload_body(bindings=bindings, annotations=annotations, usage_model="standard", compatibility_flags=["nodejs_compat"])
    version = api.result("POST", f"/workers/workers/{worker['id']}/versions", sent)
    assert is_local(version["id"])
    assert version == {
        "id": version["id"],
        "number": 1,
        "created_on": version["created_on"],
        "source": "api",
        "urls": [f"https://{version['id'][:8]}-{worker['name']}.automation-ab6.workers.dev"],
        "usage_model": "standard",
        "annotations": {"workers/triggered_by": "create_version_api", **annotations},
        "compatibility_flags": ["nodejs_compat"],
        "bindings": [{"name": "KEY", "type": "secret_text"}, {"name": "TTL", "text": "45", "type": "plain_text"}],
        "compatibility_date": "2026-01-01",
        "main_module": "index.js",
        "modules": sent["modules"],
    }
    path = f"/workers/workers/{worker['id']}/versions"
    assert api.result("GET", f"{path}/{version['id']}?include=modules") == version
    assert "modules" not in api.result("GET", f"{path}/{version['id']}")
    assert [listed["number"] for listed in (api.upload(worker), *api.result("GET", path))] == [2, 2, 1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("export default { async fetch() { ", "Uncaught SyntaxError: Unexpected end of input"),
        ("throw new Error('at the top')", "Uncaught Error: at the top"),
        ("import 'nowhere'; export default {}", 'No such module "nowhere"'),
    ],
)
def test_a_module_that_does_not_start_is_refused(api: Api, code: str, words: str) -> None:
    worker = api.worker()
    status, number, text = api.refusal("POST", f"/workers/workers/{worker['id']}/versions", upload_body(code))
    assert (status, number) == (400, 10021)
    assert words in text
    assert api.result("GET", f"/workers/workers/{worker['id']}/versions") == []


@pytest.mark.parametrize("code", ["export default {};", "export const fetch = () => new Response();", "export default { build: 1 };", ""])
def test_a_module_without_a_handler_is_refused(api: Api, code: str) -> None:
    worker = api.worker()
    told = (400, 10068, "The uploaded script has no registered event handlers.")
    assert api.refusal("POST", f"/workers/workers/{worker['id']}/versions", upload_body(code)) == told


ENTRY = "import { WorkerEntrypoint as Entry } from 'cloudflare:workers';"


@pytest.mark.parametrize(
    ("code", "handlers"),
    [
        ("export default { async scheduled() {}, fetch: () => new Response(), other() {} };", ["fetch", "scheduled"]),
        (f"{ENTRY} export default class extends Entry {{ fetch() {{ return new Response(); }} }};", ["fetch"]),
        (f"{ENTRY} export class Named extends Entry {{ add() {{}} }}", []),
    ],
)
def test_a_script_tells_what_it_handles(api: Api, code: str, handlers: list[str]) -> None:
    worker = api.worker()
    version = api.upload(worker, code)
    (script,) = [script for script in api.result("GET", "/workers/scripts") if script["id"] == worker["name"]]
    shown = api.result("GET", f"/workers/scripts/{worker['name']}/versions/{version['id']}")
    assert (script["handlers"], shown["resources"]["script"]["handlers"]) == (handlers, handlers)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"bindings": [{"name": "X", "type": "teapot"}]}, "binding X of type teapot is invalid"),
        ({"bindings": [{"name": "X", "type": "plain_text"}]}, "binding X of type plain_text is invalid: text is missing"),
        ({"bindings": [{"name": "X", "type": "plain_text", "text": "a"}] * 2}, "binding name 'X' already in use"),
        ({"bindings": ["X"]}, "A binding is an object"),
        ({"compatibility_date": "2099-01-01"}, "Can't set compatibility date in the future"),
        ({"compatibility_date": "yesterday"}, "Invalid compatibility date"),
        ({"compatibility_flags": ["no_such_flag"]}, "No such compatibility flag: no_such_flag"),
        ({"main_module": "other.js"}, "No such module: other.js"),
        ({"modules": []}, "No modules were uploaded"),
        ({"modules": [{"name": "index.js", "content_type": "text/html", "content_base64": ""}]}, "unsupported content type"),
    ],
)
def test_an_upload_that_cannot_become_a_version_is_refused(api: Api, more: dict[str, Any], words: str) -> None:
    status, number, text = api.refusal("POST", f"/workers/workers/{api.worker()['id']}/versions", upload_body(**more))
    assert (status, number) == (400, 10021)
    assert words in text


def test_a_binding_of_what_is_not_there_is_refused_with_its_own_code(api: Api) -> None:
    path = f"/workers/workers/{api.worker()['id']}/versions"
    database = upload_body(bindings=[{"name": "X", "type": "d1", "database_id": UNKNOWN}])
    service = upload_body(bindings=[{"name": "X", "type": "service", "service": "nobody"}])
    assert api.refusal("POST", path, database) == (400, 10181, f"D1 binding 'X' references database '{UNKNOWN}' which was not found.")
    text = "Service binding 'X' references environment 'production' on Worker 'nobody' which was not found."
    assert api.refusal("POST", path, service) == (400, 10144, text)


def test_deployments_are_listed_newest_first_and_found_by_id(api: Api) -> None:
    worker = api.worker()
    path = f"/workers/scripts/{worker['name']}/deployments"
    assert api.result("GET", path) == {"deployments": []}
    version = api.upload(worker)
    first, second = (api.deploy(worker, (version, 100)) for _ in range(2))
    assert api.result("GET", path) == {"deployments": [second, first]}
    assert api.result("GET", f"{path}/{first['id']}") == first
    assert first["versions"] == [{"percentage": 100, "version_id": version["id"]}]
    assert first["annotations"] == {"workers/triggered_by": "deployment"}


@pytest.mark.parametrize("percentages", [[90], [50, 51], [100, 0, 0], [150, -50], [], ["100"]])
def test_percentages_that_make_no_whole_are_refused_and_the_old_version_serves_on(api: Api, percentages: list[object]) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    versions = [{"version_id": api.upload(worker)["id"], "percentage": percentage} for percentage in percentages]
    path = f"/workers/scripts/{worker['name']}/deployments"
    assert api.refusal("POST", path, {"strategy": "percentage", "versions": versions})[0] == 400
    assert len(api.result("GET", path)["deployments"]) == 1
    assert api.edge(worker).text == "hello"


def test_a_version_of_another_worker_cannot_be_deployed(api: Api) -> None:
    worker, other = api.worker(), api.worker()
    body = {"strategy": "percentage", "versions": [{"version_id": api.upload(other)["id"], "percentage": 100}]}
    assert api.refusal("POST", f"/workers/scripts/{worker['name']}/deployments", body)[:2] == (404, 100146)


def test_schedules_are_kept_as_a_whole_list(api: Api) -> None:
    path = f"/workers/scripts/{api.worker()['name']}/schedules"
    assert api.result("GET", path) == {"schedules": []}
    put = api.result("PUT", path, [{"cron": "*/10 * * * *"}, {"cron": "0 3 * * *"}])
    assert [entry["cron"] for entry in put["schedules"]] == ["*/10 * * * *", "0 3 * * *"]
    assert api.result("GET", path) == put
    assert api.refusal("PUT", path, [{"cron": "often"}])[0] == 400
    assert api.result("PUT", path, []) == {"schedules": []}


def test_a_put_resets_what_it_does_not_name_and_a_patch_leaves_it(api: Api) -> None:
    worker = api.worker()
    path = f"/workers/workers/{worker['id']}"
    assert api.result("PATCH", path, {"tags": ["t"], "logpush": True})["subdomain"] == worker["subdomain"]
    replaced = api.result("PUT", path, {"name": worker["name"], "tags": ["u"]})
    assert (replaced["logpush"], replaced["tags"], replaced["subdomain"]["enabled"]) == (False, ["u"], False)
    assert api.result("GET", f"/workers/workers/{worker['name']}") == replaced


def test_a_worker_says_when_it_was_deployed_and_who_binds_it(api: Api) -> None:
    back, front = api.worker(), api.worker()
    assert back["deployed_on"] is None
    deployed = api.deploy(back, (api.upload(back), 100))
    bindings = [{"name": "BACK", "type": "service", "service": back["name"]}]
    api.deploy(front, (api.upload(front, bindings=bindings), 100))
    shown = api.result("GET", f"/workers/workers/{back['name']}")
    assert shown["deployed_on"] == deployed["created_on"]
    assert shown["references"]["workers"] == [{"id": front["id"], "name": front["name"]}]


def test_a_deleted_worker_is_gone_with_all_it_had(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    assert api.result("DELETE", f"/workers/workers/{worker['id']}") is None
    gone = (404, 10007, "This Worker does not exist on your account.")
    assert api.refusal("GET", f"/workers/workers/{worker['id']}") == gone
    assert api.refusal("GET", f"/workers/scripts/{worker['name']}/deployments") == gone
    assert api.edge(worker).status_code == 404


def test_a_worker_name_is_given_once(api: Api) -> None:
    assert api.refusal("POST", "/workers/workers", {"name": api.worker()["name"]})[0] == 409


def test_a_long_reply_is_not_cut_off_by_a_deployment_beside_it(api: Api) -> None:
    """The runtime restarts with each deployment; replies under way are waited for."""
    slow = """export default { fetch() {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      (async () => {
        for (let n = 0; n < 5; n++) { await writer.write(new TextEncoder().encode(String(n))); await scheduler.wait(50); }
        await writer.close();
      })();
      return new Response(readable);
    } };"""
    worker, other = api.worker(), api.worker()
    api.deploy(worker, (api.upload(worker, slow), 100))
    version = api.upload(other, HELLO)
    with httpx.stream("GET", f"{api.running.edge_url}/{worker['name']}/", trust_env=False) as reply:
        chunks = reply.iter_text()
        text = next(chunks)
        versions = [{"version_id": version["id"], "percentage": 100}]
        path = f"{api.running.api_url}/accounts/{api.running.account_id}/workers/scripts/{other['name']}/deployments"
        with api.http.stream("POST", path, json={"strategy": "percentage", "versions": versions}) as deployed:
            text += "".join(chunks)
            assert deployed.status_code == 200
    assert text == "01234"
