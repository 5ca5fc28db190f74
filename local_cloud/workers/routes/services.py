"""Other calls of wrangler: the service of a script, its references, and lists that are empty for a new account.

KV namespaces cannot be created here, so their list is always empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.envelope import ok, page
from local_cloud.workers import worker_record
from local_cloud.workers.bindings import services
from local_cloud.workers.routes.requests import script_of
from local_cloud.workers.routes.scripts import delete, described

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.cloud import Cloud, Handler
    from local_cloud.store import Body

_ENVIRONMENT = "production"


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/services/{name}."""
    worker = script_of(cloud, request)
    script = described(worker, worker_record.latest(cloud, worker))
    times = {"created_on": worker["created_on"], "modified_on": script["modified_on"]}
    environment: Body = {"environment": _ENVIRONMENT, **times, "script": script}
    return ok({"id": worker["name"], **times, "default_environment": environment, "environments": [{**environment, "script": None}]})


async def references(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/references: the workers that bind it, and those that it binds."""
    worker = script_of(cloud, request)
    incoming = [_reference(other["name"]) for other in worker_record.binders(cloud.store, worker["name"])]
    bound = set().union(*map(services, worker_record.active(cloud.store, worker)))
    outgoing = [_reference(name) for name in sorted(bound)]
    return ok({"services": {"incoming": incoming, "outgoing": outgoing}, "durable_objects": [], "dispatch_outbounds": []})


async def tails(cloud: Cloud, request: Request) -> Response:
    """GET /workers/tails/by-consumer/{name}: the workers that this one consumes the tail of."""
    name = script_of(cloud, request)["name"]
    producers = [worker for worker in cloud.store.all("worker") if name in [consumer["name"] for consumer in worker["tail_consumers"]]]
    return ok([{"consumer": {"service": name}, "producer": {"script": worker["name"]}} for worker in producers])


async def none(_: Cloud, request: Request) -> Response:
    """Give an empty list."""
    return page([], request.query_params)


def _reference(name: str) -> Body:
    return {"name": name, "service": name, "environment": _ENVIRONMENT}


_A = "/accounts/{a}"
ROUTES: dict[str, Handler] = {
    f"GET {_A}/workers/services/{{name}}": show,
    f"DELETE {_A}/workers/services/{{name}}": delete,
    f"GET {_A}/workers/scripts/{{name}}/references": references,
    f"GET {_A}/workers/tails/by-consumer/{{name}}": tails,
    f"GET {_A}/storage/kv/namespaces": none,
}
