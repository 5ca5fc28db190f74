"""Queues and buckets that a worker binds: wrangler asks for each before it uploads. As everywhere here, whatever is named is there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from local_cloud.envelope import ok, page
from local_cloud.ids import MARK

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.cloud import Cloud, Handler


async def queues(_: Cloud, request: Request) -> Response:
    """GET /queues: the queue that ``?name=`` asks for; without a name none."""
    name = request.query_params.get("name")
    found = [{"queue_id": _id_of(name), "queue_name": name, "producers": [], "consumers": []}] if name else []
    return page(found, request.query_params)


async def bucket(_: Cloud, request: Request) -> Response:
    """GET /r2/buckets/{name}."""
    return ok({"name": request.path_params["name"], "location": "WEUR", "storage_class": "Standard"})


def _id_of(name: str) -> str:
    """The same id for a name each time, with the mark of this cloud."""
    return MARK + hashlib.sha256(name.encode()).hexdigest()[: 32 - len(MARK)]


ROUTES: dict[str, Handler] = {"GET /accounts/{a}/queues": queues, "GET /accounts/{a}/r2/buckets/{name}": bucket}
