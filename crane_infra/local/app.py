"""The REST API: the table of what is emulated, and what every call goes through: token, account, faults, handler, log.

A route that is not in the table answers 501 and says so; it never pretends.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from crane_infra.local import routes_account, routes_d1, routes_scripts, routes_workers
from crane_infra.local.auth import admit
from crane_infra.local.edge import PREFIX, Edge
from crane_infra.local.envelope import INTERNAL, UNKNOWN_ROUTE, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.cloud import Cloud

    Handler = Callable[[Cloud, Request], Awaitable[Response]]

API = "/client/v4"
_DATABASE = "/accounts/{a}/d1/database"
_WORKER = "/accounts/{a}/workers/workers"
_SCRIPT = "/accounts/{a}/workers/scripts"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def table() -> dict[str, Handler]:
    """Give every emulated route, as ``METHOD template``, with its handler."""
    return {
        "GET /user/tokens/verify": routes_account.verify,
        "GET /accounts": routes_account.accounts,
        "GET /accounts/{a}/workers/subdomain": routes_account.subdomain,
        f"POST {_DATABASE}": routes_d1.create,
        f"GET {_DATABASE}": routes_d1.listing,
        f"GET {_DATABASE}/{{id}}": routes_d1.show,
        f"PATCH {_DATABASE}/{{id}}": routes_d1.change,
        f"PUT {_DATABASE}/{{id}}": routes_d1.change,
        f"DELETE {_DATABASE}/{{id}}": routes_d1.delete,
        f"POST {_DATABASE}/{{id}}/query": routes_d1.query,
        f"POST {_DATABASE}/{{id}}/raw": routes_d1.raw,
        f"GET {_DATABASE}/{{id}}/time_travel/bookmark": routes_d1.bookmark,
        f"POST {_WORKER}": routes_workers.create,
        f"GET {_WORKER}": routes_workers.listing,
        f"GET {_WORKER}/{{id}}": routes_workers.show,
        f"PUT {_WORKER}/{{id}}": routes_workers.replace,
        f"PATCH {_WORKER}/{{id}}": routes_workers.patch,
        f"DELETE {_WORKER}/{{id}}": routes_workers.delete,
        f"POST {_WORKER}/{{id}}/versions": routes_workers.upload,
        f"GET {_WORKER}/{{id}}/versions": routes_workers.versions,
        f"GET {_WORKER}/{{id}}/versions/{{vid}}": routes_workers.version,
        f"GET {_SCRIPT}": routes_scripts.scripts,
        f"POST {_SCRIPT}/{{name}}/deployments": routes_scripts.deploy,
        f"GET {_SCRIPT}/{{name}}/deployments": routes_scripts.deployments,
        f"GET {_SCRIPT}/{{name}}/deployments/{{id}}": routes_scripts.deployment,
        f"GET {_SCRIPT}/{{name}}/schedules": routes_scripts.schedules,
        f"PUT {_SCRIPT}/{{name}}/schedules": routes_scripts.schedule,
        f"GET {_SCRIPT}/{{name}}/versions": routes_scripts.versions,
        f"GET {_SCRIPT}/{{name}}/versions/{{id}}": routes_scripts.version,
    }


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
