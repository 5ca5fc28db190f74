"""The workers routes (Cloudflare's newer API for Workers, which the Pulumi provider uses): a worker and its script-level settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import ok, page
from local_cloud.store import NameTakenError
from local_cloud.workers import worker_record
from local_cloud.workers.observability import merge
from local_cloud.workers.routes.requests import worker_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body


async def create(cloud: Cloud, request: Request) -> Response:
    """POST /workers/workers."""
    worker = worker_record.new_worker(await body_of(request), stamp())
    try:
        cloud.store.add("worker", worker["id"], worker, name=worker["name"])
    except NameTakenError as error:
        raise worker_record.taken(worker["name"]) from error
    return ok(worker_record.shown_worker(cloud, worker))


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers."""
    return page([worker_record.shown_worker(cloud, worker) for worker in cloud.store.all("worker")], request.query_params)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}, by id or name."""
    return ok(worker_record.shown_worker(cloud, worker_of(cloud, request)))


async def replace(cloud: Cloud, request: Request) -> Response:
    """PUT /workers/workers/{id}: what the body does not name goes back to its default."""
    worker = worker_of(cloud, request)
    return _changed(cloud, worker, worker_record.settings_of(await body_of(request), worker_record.DEFAULTS))


async def patch(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/workers/{id}: what the body does not name stays."""
    worker = worker_of(cloud, request)
    present = worker_record.present_settings(worker)
    return _changed(cloud, worker, worker_record.settings_of(merge(present, await body_of(request)), present))


async def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE /workers/workers/{id}, with its versions, deployments and schedules."""
    worker_record.remove(cloud, worker_of(cloud, request))
    return ok(None)


def _changed(cloud: Cloud, worker: Body, settings: Body) -> Response:
    changed = {**worker, **settings, "updated_on": stamp()}
    try:
        cloud.store.put(worker["id"], changed, name=changed["name"])
    except NameTakenError as error:
        raise worker_record.taken(changed["name"]) from error
    cloud.workerd.touch()
    return ok(worker_record.shown_worker(cloud, changed))


_WORKER = "/accounts/{a}/workers/workers"
ROUTES: dict[str, Handler] = {
    f"POST {_WORKER}": create,
    f"GET {_WORKER}": listing,
    f"GET {_WORKER}/{{id}}": show,
    f"PUT {_WORKER}/{{id}}": replace,
    f"PATCH {_WORKER}/{{id}}": patch,
    f"DELETE {_WORKER}/{{id}}": delete,
}
