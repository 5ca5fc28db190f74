"""The admin port: health, faults, switches, tokens and the call log. It is no part of Cloudflare's API and listens on a port of its own.

Nobody has to prove who they are: it listens on 127.0.0.1 alone. Refuses what a web page could send there: another Host than this machine (a
rebound DNS name) and any Origin. What is wrong is told without the values that were sent.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.behaviour import Behaviour
from local_cloud.faults.log import OverflowedError
from local_cloud.faults.model import RULE, Seconds, told
from local_cloud.tokens import Permission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from local_cloud.cloud import Cloud

    Admin: TypeAlias = Callable[[Cloud, Request], Awaitable[dict[str, Any]]]

_HOSTS = {"127.0.0.1", "localhost"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Latency(_Strict):
    """How long each call of a route waits; no route means every route."""

    route: str | None
    seconds: Seconds


class NewToken(_Strict):
    """What a new token may do."""

    permissions: frozenset[Permission]


class OldToken(_Strict):
    """The token that ends."""

    token: str = Field(repr=False)


class Statement(_Strict):
    """A statement, and the database that counts; no database means all."""

    sql: str
    database: str | None = None


class Text(_Strict):
    """A text to look for."""

    text: str = Field(repr=False)


async def health(cloud: Cloud, _: Request) -> dict[str, Any]:
    """GET /health."""
    return {"instance_id": cloud.instance, "pid": os.getpid()}


async def add_fault(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /faults: put a rule in force."""
    return {"id": cloud.injector.add(RULE.validate_json(await request.body()))}


async def fired(cloud: Cloud, request: Request) -> dict[str, Any]:
    """GET /faults/{id}: how often a rule has fired."""
    return {"fired": cloud.injector.fired(request.path_params["id"])}


async def end_fault(cloud: Cloud, request: Request) -> dict[str, Any]:
    """DELETE /faults/{id}: how often it fired."""
    return {"fired": cloud.injector.end(request.path_params["id"])}


async def latency(cloud: Cloud, request: Request) -> dict[str, Any]:
    """PUT /latency: what it was before."""
    wanted = Latency.model_validate_json(await request.body())
    return {"before": cloud.injector.slow(wanted.route, wanted.seconds)}


async def behaviour(cloud: Cloud, _: Request) -> dict[str, Any]:
    """GET /behaviour: every switch."""
    return cloud.behaviour.model_dump(mode="json")


async def behave(cloud: Cloud, request: Request) -> dict[str, Any]:
    """PUT /behaviour: a switch that is not named goes back to its default."""
    cloud.behaviour = Behaviour.model_validate_json(await request.body())
    cloud.settle()
    return cloud.behaviour.model_dump(mode="json")


async def add_token(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /tokens."""
    return {"token": cloud.tokens.create(NewToken.model_validate_json(await request.body()).permissions)}


async def end_token(cloud: Cloud, request: Request) -> dict[str, Any]:
    """DELETE /tokens: tell whether there was such a token."""
    return {"revoked": cloud.tokens.revoke(OldToken.model_validate_json(await request.body()).token)}


async def calls(cloud: Cloud, _: Request) -> dict[str, Any]:
    """GET /calls."""
    return {"calls": cloud.log.calls()}


async def executed(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /executed: how often a statement was executed and committed."""
    wanted = Statement.model_validate_json(await request.body())
    return {"times": cloud.log.executions(wanted.sql, wanted.database)}


async def seen(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /seen: where a text stood. In a body, not in an address: it may be a secret."""
    wanted = Text.model_validate_json(await request.body())
    return {"seen": await asyncio.to_thread(cloud.log.seen, wanted.text)}


async def reset(cloud: Cloud, _: Request) -> dict[str, Any]:
    """POST /reset: forget rules, latencies and calls."""
    cloud.injector.reset()
    cloud.log.reset()
    return {}


_ROUTES: dict[str, Admin] = {
    "GET /health": health,
    "POST /faults": add_fault,
    "GET /faults/{id:int}": fired,
    "DELETE /faults/{id:int}": end_fault,
    "PUT /latency": latency,
    "GET /behaviour": behaviour,
    "PUT /behaviour": behave,
    "POST /tokens": add_token,
    "DELETE /tokens": end_token,
    "GET /calls": calls,
    "POST /executed": executed,
    "POST /seen": seen,
    "POST /reset": reset,
}


def admin_app(cloud: Cloud) -> Starlette:
    """Build the admin application of a cloud."""
    return Starlette(routes=[_route(cloud, route, answer) for route, answer in _ROUTES.items()])


def _route(cloud: Cloud, route: str, answer: Admin) -> Route:
    async def endpoint(request: Request) -> Response:
        if not _is_from_here(request):
            return JSONResponse({"error": "this port answers to this machine alone"}, status_code=403)
        try:
            return JSONResponse(await answer(cloud, request))
        except ValidationError as error:
            return JSONResponse({"error": told(error)}, status_code=400)
        except (ValueError, OverflowedError) as error:
            return JSONResponse({"error": str(error)}, status_code=400 if isinstance(error, ValueError) else 409)

    method, _, path = route.partition(" ")
    return Route(path, endpoint, methods=[method])


def _is_from_here(request: Request) -> bool:
    return request.headers.get("host", "").partition(":")[0] in _HOSTS and "origin" not in request.headers
