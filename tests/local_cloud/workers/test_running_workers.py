"""Deployed workers answer: requests and replies pass through whole, bindings work, and no deployment cuts off a reply."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.cloud import HELLO, Api
from tests.local_cloud.load import children
from tests.local_cloud.workers.forms import says

pytestmark = pytest.mark.cloud

KV = {"name": "KV", "type": "kv_namespace", "namespace_id": "starts-with-workerd"}
ECHO = """export default { async fetch(request, env) {
  const body = await request.text();
  return Response.json({ url: request.url, method: request.method, body, x: request.headers.get("x-y"), env }, { status: 203 });
} };"""


def test_an_uploaded_and_deployed_version_answers(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker), 100))
    assert api.edge(worker).text == "hello"


def test_a_version_that_is_only_uploaded_gets_no_traffic(api: Api) -> None:
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, says("old")), 100))
    api.upload(worker, says("new"))
    assert api.edge(worker).text == "old"


def test_a_new_deployment_gets_the_traffic_and_an_old_version_can_be_deployed_again(api: Api) -> None:
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


def test_a_worker_that_throws_answers_500_and_keeps_running(api: Api) -> None:
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


def test_a_worker_without_a_deployment_a_closed_subdomain_and_an_unknown_script_answer_404(api: Api) -> None:
    worker = api.worker()
    assert api.edge(worker).status_code == 404
    api.deploy(worker, (api.upload(worker), 100))
    assert api.edge(worker).status_code == 200
    closed = api.result("PATCH", f"/workers/workers/{worker['id']}", {"subdomain": {"enabled": False}})
    assert closed["subdomain"] == {"enabled": False, "previews_enabled": True}
    assert api.edge(worker).status_code == 404
    assert api.edge({"name": "nobody"}).status_code == 404


def test_a_deployment_does_not_cut_off_a_long_reply_under_way(api: Api) -> None:
    """The first request to a deployed worker that binds a KV namespace starts the runtime anew, after waiting for replies under way."""
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
    version = api.upload(other, HELLO, bindings=[KV])
    with (
        ThreadPoolExecutor(1) as threads,
        httpx.stream("GET", f"{api.running.edge_url}/{worker['name']}/", trust_env=False, timeout=60) as reply,
    ):
        chunks = reply.iter_text()
        text = next(chunks)
        api.deploy(other, (version, 100))
        answer = threads.submit(api.edge, other)
        text += "".join(chunks)
        assert answer.result().text == "hello"
    assert text == "01234"


def test_deployments_of_workers_with_kv_start_the_runtime_anew_once_with_the_next_request_to_a_worker(api: Api) -> None:
    """Queries do not, nor does a new database, nor a version that serves already."""
    workers = [api.worker(), api.worker()]
    before = runtime(api)
    for worker in workers:
        api.deploy(worker, (api.upload(worker, bindings=[KV]), 100))
    assert len(before) == 1
    assert runtime(api) == before
    assert [api.edge(worker).text for worker in workers] == ["hello", "hello"]
    after = runtime(api)
    assert after != before
    api.result("DELETE", f"/workers/workers/{workers[0]['id']}")
    assert (api.edge(workers[0]).status_code, api.edge(workers[1]).status_code) == (404, 200)
    assert runtime(api) == after


def test_a_deployment_of_a_worker_that_binds_values_and_databases_leaves_the_others_running(api: Api) -> None:
    """Their memory too. A worker that started with workerd for another's sake, which binds it, runs on as well once nobody binds it."""
    counting, back, front = api.worker(), api.worker(), api.worker()
    code = """let n = 0; export default { async fetch(request, env) {
      const { name } = await env.DB.prepare("SELECT ? AS name").bind(env.NAME).first();
      return new Response(`${name} ${++n}`);
    } };"""
    named = [{"name": "NAME", "type": "plain_text", "text": "count"}, {"name": "DB", "type": "d1", "database_id": api.database()}]
    api.deploy(back, (api.upload(back, says("back")), 100))
    service = [{"name": "BACK", "type": "service", "service": back["name"]}]
    api.deploy(front, (api.upload(front, "export default { fetch: (r, env) => env.BACK.fetch(r) };", bindings=service), 100))
    assert api.edge(front).text == "back"
    api.deploy(counting, (api.upload(counting, code, bindings=named), 100))
    assert api.edge(counting).text == "count 1"
    before = runtime(api)
    api.deploy(front, (api.upload(front, says("alone")), 100))
    assert [api.edge(worker).text for worker in (front, back, counting)] == ["alone", "back", "count 2"]
    api.deploy(counting, (api.upload(counting, code.replace("n = 0", "n = 10"), bindings=named), 100))
    assert api.edge(counting).text == "count 11"
    assert runtime(api) == before


def test_a_worker_that_uses_the_cache_finds_what_it_has_put_there(api: Api) -> None:
    code = """export default { async fetch() {
      const kept = new Response("kept", { headers: { "cache-control": "max-age=60" } });
      await caches.default.put("https://example.com/", kept);
      return (await caches.default.match("https://example.com/")) ?? new Response("not there");
    } };"""
    worker = api.worker()
    api.deploy(worker, (api.upload(worker, code), 100))
    assert api.edge(worker).text == "kept"


def runtime(api: Api) -> list[int]:
    """The process of the runtime: the one that the cloud keeps connections to. Uploads are tried in others, which come and go."""
    api.query(api.database(), "SELECT 1")
    connections = psutil.Process(api.running.pid).net_connections("tcp")
    asked = {connection.raddr.port for connection in connections if connection.status == psutil.CONN_ESTABLISHED}
    return [pid for node in children(api.running.pid) for pid in children(node) if listening(pid) & asked]


def listening(pid: int) -> set[int]:
    """The ports of a process; none where it has ended."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}
