"""The REST API: the table of what is emulated, and what every call goes through: token, account, faults, handler, log.

A route that is not in the table answers 501 and says so; it never pretends.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from crane_infra.local.d1 import databases
from crane_infra.local.envelope import INTERNAL, UNKNOWN_ROUTE, Refusal
from crane_infra.local.server import account
from crane_infra.local.server.auth import admit
from crane_infra.local.workers import scripts, workers
from crane_infra.local.workers.edge import PREFIX, Edge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.cloud import Cloud, Handler

API = "/client/v4"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def table() -> dict[str, Handler]:
    """Give every emulated route, as ``METHOD template``, with its handler."""
    return {**account.ROUTES, **databases.ROUTES, **workers.ROUTES, **scripts.ROUTES}


def public_app(cloud: Cloud) -> Starlette:
    """Build the application of the public port: the REST API and the edge."""
    routes = [_route(cloud, route, handler) for route, handler in table().items()]
    unknown = Route(API + "/{path:path}", _endpoint(cloud, "unknown", _refuse_unknown), methods=_METHODS)
    return Starlette(routes=[*routes, unknown, Mount(PREFIX, app=Edge(cloud))])


def _route(cloud: Cloud, route: str, handler: Handler) -> Route:
    method, _, template = route.partition(" ")
    return Route(API + template, _endpoint(cloud, route, handler), methods=[method])


def _endpoint(cloud: Cloud, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        path = request.url.path.removeprefix(API)
        response = await _answer(cloud, route, handler, request, path)
        cloud.injector.log(request.method, path, route, response.status_code)
        return response

    return endpoint


async def _answer(cloud: Cloud, route: str, handler: Handler, request: Request, path: str) -> Response:
    try:
        admit(request, cloud.token, path)
        cloud.injector.step(route)
        return await handler(cloud, request)
    except Refusal as refused:
        return refused.response()
    except Exception:
        logging.getLogger(__name__).exception("%s failed", route)
        return Refusal(500, INTERNAL, "internal error").response()


async def _refuse_unknown(_: Cloud, request: Request) -> Response:
    path = request.url.path.removeprefix(API)
    raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud does not emulate {request.method} {path}")
