"""The admin port: health, faults, switches, tokens and the call log. It is not part of Cloudflare's API and listens on its own port.

It listens on 127.0.0.1 only, which other users of the machine reach too, so it needs a token of its own: who can read ``cloud.json`` has
it. It refuses what a web page could send: a Host other than this machine (a rebound DNS name), and any Origin. Its error messages do not
repeat the values that were sent.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.behaviour import Behaviour
from local_cloud.faults.log import OverflowedError
from local_cloud.faults.model import RULE, Seconds, described
from local_cloud.server import infisical
from local_cloud.tokens import Permission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from local_cloud.cloud import Cloud

    Admin: TypeAlias = Callable[[Cloud, Request], Awaitable[dict[str, Any]]]

_HOSTS = {"127.0.0.1", "localhost"}
_UNKNOWN_CALLER = "the admin port needs the header 'Authorization: Bearer' with the admin_token of cloud.json"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LatencyBody(_Body):
    """How long each call of a route waits, in seconds; null stands for every route."""

    route: str | None
    seconds: Seconds


class NewTokenBody(_Body):
    """The permissions of a new token."""

    permissions: frozenset[Permission]


class RevokedTokenBody(_Body):
    """The token to revoke."""

    token: str = Field(repr=False)


class FolderBody(_Body):
    """Secrets for a folder of Infisical."""

    place: str
    values: dict[str, str] = Field(repr=False)


class FolderQuestion(_Body):
    """A folder of Infisical."""

    place: str


class StatementQuestion(_Body):
    """A statement, and the database it ran on; null stands for all databases."""

    sql: str
    database: str | None = None


class TextQuestion(_Body):
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
    """DELETE /faults/{id}: end a rule; how often it fired."""
    return {"fired": cloud.injector.end(request.path_params["id"])}


async def latency(cloud: Cloud, request: Request) -> dict[str, Any]:
    """PUT /latency: set a latency; the one before it."""
    latency_body = LatencyBody.model_validate_json(await request.body())
    return {"before": cloud.injector.slow(latency_body.route, latency_body.seconds)}


async def behaviour(cloud: Cloud, _: Request) -> dict[str, Any]:
    """GET /behaviour: every switch."""
    return cloud.behaviour.model_dump(mode="json")


async def behave(cloud: Cloud, request: Request) -> dict[str, Any]:
    """PUT /behaviour: a switch that the body does not name goes back to its default."""
    cloud.behaviour = Behaviour.model_validate_json(await request.body())
    cloud.settle()
    return cloud.behaviour.model_dump(mode="json")


async def add_token(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /tokens."""
    return {"token": cloud.tokens.create(NewTokenBody.model_validate_json(await request.body()).permissions)}


async def end_token(cloud: Cloud, request: Request) -> dict[str, Any]:
    """DELETE /tokens: revoke a token; whether there was one."""
    return {"revoked": cloud.tokens.revoke(RevokedTokenBody.model_validate_json(await request.body()).token)}


async def calls(cloud: Cloud, _: Request) -> dict[str, Any]:
    """GET /calls."""
    return {"calls": cloud.log.calls()}


async def executed(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /executed: how often a statement was executed and committed."""
    question = StatementQuestion.model_validate_json(await request.body())
    return {"times": cloud.log.executions(question.sql, question.database)}


async def seen(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /seen: which calls contained a text. The text comes in the body, because it may be a secret."""
    question = TextQuestion.model_validate_json(await request.body())
    return {"seen": await asyncio.to_thread(cloud.log.seen, question.text)}


async def fill_folder(cloud: Cloud, request: Request) -> dict[str, Any]:
    """PUT /infisical: store secrets in a folder."""
    body = FolderBody.model_validate_json(await request.body())
    infisical.put(cloud.store, body.place, body.values)
    return {}


async def read_folder(cloud: Cloud, request: Request) -> dict[str, Any]:
    """POST /infisical: the secrets of a folder."""
    stored = infisical.folder(cloud.store, FolderQuestion.model_validate_json(await request.body()).place)
    return {"values": {name: secret["value"] for name, secret in stored.items()}}


async def reset(cloud: Cloud, _: Request) -> dict[str, Any]:
    """POST /reset: end all rules and latencies, and clear the log."""
    cloud.injector.reset()
    cloud.log.reset()
    return {}


ROUTES: dict[str, Admin] = {
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
    "PUT /infisical": fill_folder,
    "POST /infisical": read_folder,
    "POST /reset": reset,
}


def admin_app(cloud: Cloud, token: str) -> Starlette:
    """Build the admin application of a cloud, for callers with this token."""
    return Starlette(routes=[_route(cloud, token, route, answer) for route, answer in ROUTES.items()])


def _route(cloud: Cloud, token: str, route: str, answer: Admin) -> Route:
    async def endpoint(request: Request) -> Response:
        if not _is_from_here(request):
            return JSONResponse({"error": "this port answers programs on this machine only"}, status_code=403)
        if not _has_token(request, token):
            return JSONResponse({"error": _UNKNOWN_CALLER}, status_code=401)
        try:
            return JSONResponse(await answer(cloud, request))
        except ValidationError as error:
            return JSONResponse({"error": described(error)}, status_code=400)
        except (ValueError, OverflowedError) as error:
            return JSONResponse({"error": str(error)}, status_code=400 if isinstance(error, ValueError) else 409)

    method, _, path = route.partition(" ")
    return Route(path, endpoint, methods=[method])


def _is_from_here(request: Request) -> bool:
    return request.headers.get("host", "").partition(":")[0] in _HOSTS and "origin" not in request.headers


def _has_token(request: Request, token: str) -> bool:
    return secrets.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())
