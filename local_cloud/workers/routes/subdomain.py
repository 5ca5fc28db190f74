"""The workers.dev switches of a script: whether it answers there, and whether its versions have their own addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, MALFORMED, Refusal, ok
from local_cloud.workers.routes.requests import script_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/subdomain."""
    return ok(script_of(cloud, request)["subdomain"])


async def switch(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/subdomain; ``previews_enabled`` stays if the body does not name it."""
    worker, body = script_of(cloud, request), await body_of(request)
    switches = {key: body[key] for key in ("enabled", "previews_enabled") if body.get(key) is not None}
    if "enabled" not in switches or not all(isinstance(value, bool) for value in switches.values()):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: enabled must be true or false")
    return _set(cloud, worker, {**worker["subdomain"], **switches})


async def close(cloud: Cloud, request: Request) -> Response:
    """DELETE /workers/scripts/{name}/subdomain: both off."""
    return _set(cloud, script_of(cloud, request), {"enabled": False, "previews_enabled": False})


def _set(cloud: Cloud, worker: Body, subdomain: Body) -> Response:
    cloud.store.put(worker["id"], {**worker, "subdomain": subdomain, "updated_on": stamp()}, name=worker["name"])
    return ok(subdomain)


_SUBDOMAIN = "/accounts/{a}/workers/scripts/{name}/subdomain"
ROUTES: dict[str, Handler] = {f"GET {_SUBDOMAIN}": show, f"POST {_SUBDOMAIN}": switch, f"DELETE {_SUBDOMAIN}": close}
