"""The REST API: the table of emulated routes, and the steps of every call: token, account, faults, handler, log.

A route that is not in the table answers 501 and names the call.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route, request_response

from local_cloud.d1.routes import databases, exports, imports, queries, signed_files, time_travel
from local_cloud.envelope import INTERNAL, UNKNOWN_ROUTE, Refusal
from local_cloud.faults.connection import Silence
from local_cloud.faults.model import Drop
from local_cloud.faults.perform import perform
from local_cloud.server import account, graphql, infisical
from local_cloud.server.auth import admit
from local_cloud.workers.routes import (
    assets,
    deployments,
    resources,
    schedules,
    scripts,
    secrets,
    services,
    settings,
    subdomain,
    versions,
    workers,
)
from local_cloud.workers.routes.edge import PREFIX, Edge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from local_cloud.cloud import Cloud, Handler
    from local_cloud.faults.injector import DueFault

API = "/client/v4"
_PROVEN_OTHERWISE = {*signed_files.ROUTES, *assets.SESSION_ROUTES}
"""Routes that need no API token: their handlers check a signature."""


def table() -> dict[str, Handler]:
    """Give every emulated route, as ``METHOD template``, with its handler."""
    return {
        **account.ROUTES,
        **databases.ROUTES,
        **queries.ROUTES,
        **imports.ROUTES,
        **exports.ROUTES,
        **time_travel.ROUTES,
        **graphql.ROUTES,
        **_one_after_the_other(
            {
                **workers.ROUTES,
                **versions.ROUTES,
                **scripts.ROUTES,
                **deployments.ROUTES,
                **schedules.ROUTES,
                **secrets.ROUTES,
                **settings.ROUTES,
                **subdomain.ROUTES,
                **services.ROUTES,
                **resources.ROUTES,
                **assets.ROUTES,
                **assets.SESSION_ROUTES,
            }
        ),
    }


def routes() -> list[str]:
    """Give the routes that can have faults: every emulated one, and the signed addresses of files."""
    return [*table(), *signed_files.ROUTES]


def _one_after_the_other(table: dict[str, Handler]) -> dict[str, Handler]:
    """Make calls that change workers wait for each other, as Cloudflare does (wrangler-action 255)."""

    def waiting(handler: Handler) -> Handler:
        async def alone(cloud: Cloud, request: Request) -> Response:
            async with cloud.shipping:
                return await handler(cloud, request)

        return alone

    return {route: handler if route.startswith("GET ") else waiting(handler) for route, handler in table.items()}


def public_app(cloud: Cloud) -> ASGIApp:
    """Build the application of the public port: the edge, which most requests are for, and the REST API."""
    edge, api = Edge(cloud), _api(cloud)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        of_edge = scope["type"] in {"http", "websocket"} and scope["path"].startswith(f"{PREFIX}/")
        await (edge if of_edge else api)(scope, receive, send)

    return app


def _api(cloud: Cloud) -> Starlette:
    emulated = [_route(cloud, route, handler, API) for route, handler in table().items()]
    files = [_route(cloud, route, handler, "") for route, handler in signed_files.ROUTES.items()]
    unknown = Mount("", app=request_response(_endpoint(cloud, "unknown", _refuse_unknown)))
    return Starlette(routes=[*emulated, *files, Mount(infisical.PREFIX, app=infisical.infisical_app(cloud)), unknown])


def _route(cloud: Cloud, route: str, handler: Handler, base: str) -> Route:
    method, _, template = route.partition(" ")
    return Route(base + template, _endpoint(cloud, route, handler), methods=[method])


def _endpoint(cloud: Cloud, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Give the steps of a call."""

    async def endpoint(request: Request) -> Response:
        path = request.url.path.removeprefix(API)
        call = cloud.log.begin(request, route, path)
        refused = None if route in _PROVEN_OTHERWISE else _refusal(cloud, request, path)
        try:
            counted_body = b"" if cloud.injector.drops_unread(route) else await request.body()
            due_fault = None if refused else cloud.injector.step(route, counted_body)
            call.fault = due_fault.then.kind if due_fault else None
            body = b"" if due_fault and due_fault.then == Drop("before-read") else await request.body()
        except ClientDisconnect:
            return Silence()
        response = refused or await _answer(cloud, route, due_fault, partial(_handled, handler, request))
        cloud.log.end(call, request, body, response)
        return response

    return endpoint


def _refusal(cloud: Cloud, request: Request, path: str) -> Response | None:
    try:
        admit(request, cloud.tokens, path)
    except Refusal as refused:
        return refused.response()
    return None


async def _answer(cloud: Cloud, route: str, due_fault: DueFault | None, run: Callable[[Cloud], Awaitable[Response]]) -> Response:
    await asyncio.sleep(cloud.injector.latency(route))
    return await perform(due_fault, cloud, run)


async def _handled(handler: Handler, request: Request, cloud: Cloud) -> Response:
    try:
        return await handler(cloud, request)
    except Refusal as refused:
        return refused.response()
    except Exception as error:  # noqa: BLE001 (the caller always gets a reply)
        _log_without_values(error)
        return Refusal(500, INTERNAL, "internal error").response()


def _log_without_values(error: Exception) -> None:
    """Log the type and the place of an error only: its text may quote the request, and so a secret."""
    place = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger(__name__).error("a handler failed with %s\n%s", type(error).__name__, place)


async def _refuse_unknown(_: Cloud, request: Request) -> Response:
    path = request.url.path.removeprefix(API)
    raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud does not emulate {request.method} {path or '/'}")
