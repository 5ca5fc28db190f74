"""A worker runs with what it binds, as far as Miniflare has it; of the rest the reply to its upload says that it is only stored."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local_cloud import daemon
from local_cloud.daemon import Running
from local_cloud.workers.kinds import NEEDS
from tests.cloud import Api, api_of, upload_body

pytestmark = pytest.mark.cloud

CODE = """
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async count() {
    const before = (await this.ctx.storage.get("n")) ?? 0;
    await this.ctx.storage.put("n", before + 1);
    return before + 1;
  }
}
export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  if (pathname.endsWith("/write")) {
    await env.CACHE.put("key", "from kv");
    await env.FILES.put("file", "from r2");
    await env.JOBS.send({ job: 1 });
    env.EVENTS.writeDataPoint({ blobs: ["x"] });
  }
  const room = await env.ROOMS.get(env.ROOMS.idFromName("a")).count();
  const { success } = await env.LIMIT.limit({ key: "k" });
  return Response.json([await env.CACHE.get("key"), await (await env.FILES.get("file"))?.text(), room, success, env.AI === undefined, env.CONFIG]);
} };
"""
BINDINGS = [
    {"name": "CACHE", "type": "kv_namespace", "namespace_id": "0123456789abcdef0123456789abcdef"},
    {"name": "FILES", "type": "r2_bucket", "bucket_name": "files"},
    {"name": "JOBS", "type": "queue", "queue_name": "jobs"},
    {"name": "EVENTS", "type": "analytics_engine", "dataset": "events"},
    {"name": "LIMIT", "type": "ratelimit", "namespace_id": "1", "simple": {"limit": 100, "period": 60}},
    {"name": "ROOMS", "type": "durable_object_namespace", "class_name": "Room"},
    {"name": "AI", "type": "ai"},
    {"name": "CONFIG", "type": "json", "json": {"deep": [1, 2]}},
]
WRITTEN = ["from kv", "from r2"]


def test_what_miniflare_has_runs_and_its_data_outlives_versions_and_the_cloud(begin: Callable[..., Running], tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    with api_of(running).http as http:
        api = Api(running, http)
        worker = api.worker()
        api.deploy(worker, (api.upload(worker, CODE, bindings=BINDINGS), 100))
        assert api.edge(worker).json()[:2] == [None, None]
        assert api.edge(worker, "/write").json() == [*WRITTEN, 2, True, True, {"deep": [1, 2]}]
        api.deploy(worker, (api.upload(worker, CODE + "// next", bindings=BINDINGS), 100))
        assert api.edge(worker).json()[:2] == WRITTEN
    daemon.stop(running.folder)
    again = begin(tmp_path / "cloud")
    with api_of(again).http as http:
        assert Api(again, http).edge(worker).json()[:2] == WRITTEN


CALLED = """
import { WorkerEntrypoint } from "cloudflare:workers";
export class Admin extends WorkerEntrypoint { fetch() { return new Response("admin"); } }
export default { fetch: () => new Response("anybody") };
"""
CALLER = 'export default { fetch: async (_, env) => new Response(`${await (await env.ADMIN.fetch("https://admin/")).text()}`) };'


def test_a_service_reaches_an_entrypoint_once_the_version_behind_it_has_one(api: Api) -> None:
    """Until then the caller starts and serves, and so does everything else; only that call fails."""
    called, caller = api.worker(), api.worker()
    api.deploy(called, (api.upload(called, CALLED.replace("class Admin", "class Other")), 100))
    admin = {"name": "ADMIN", "type": "service", "service": called["name"], "entrypoint": "Admin"}
    api.deploy(caller, (api.upload(caller, CALLER, bindings=[admin]), 100))
    assert api.edge(caller).text == "This worker has no deployment, or no such entrypoint"
    api.deploy(called, (api.upload(called, CALLED), 100))
    assert api.edge(caller).text == "admin"


def test_what_it_only_stores_is_said_and_shown(api: Api) -> None:
    worker = api.worker()
    reply = api.call("POST", f"/workers/workers/{worker['id']}/versions", upload_body(bindings=[{"name": "AI", "type": "ai"}]))
    (note,) = reply.json()["messages"]
    assert note["message"] == "The local cloud stores the binding AI of type ai; the worker does not get it"
    assert reply.json()["result"]["bindings"] == [{"name": "AI", "type": "ai"}]


@pytest.mark.parametrize("kind", [kind for kind, fields in NEEDS.items() if fields])
def test_a_binding_without_what_its_kind_needs_is_refused(api: Api, kind: str) -> None:
    body = upload_body(bindings=[{"name": "ONE", "type": kind}])
    status, code, text = api.refusal("POST", f"/workers/workers/{api.worker()['id']}/versions", body)
    assert (status, code, text) == (400, 10021, f"binding ONE of type {kind} is invalid: {NEEDS[kind][0]} is missing")
