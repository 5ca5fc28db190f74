"""Secrets of a script: each change is a new version with all traffic, as on Cloudflare. No route returns their values.

A change is refused while the latest version does not serve (10215), because it would deploy that version by accident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, NOT_FOUND, UNKNOWN_ROUTE, Refusal, ok
from local_cloud.workers import worker_record
from local_cloud.workers.bindings import replaced, secrets
from local_cloud.workers.deploy import is_deployed, ship
from local_cloud.workers.routes.requests import script_of, source
from local_cloud.workers.routes.upload_form import demand_objects
from local_cloud.workers.store_version import Origin, judge
from local_cloud.workers.version_record import changed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_NO_SUCH_SECRET, _NOT_DEPLOYED, _BAD_SECRET = 10056, 10215, 10021
_NOT_DEPLOYED_TEXT = (
    "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't currently deployed. "
    "Please ensure that the latest version of your Worker is fully deployed (wrangler versions deploy) before modifying secrets."
)


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/secrets: the names in the latest version."""
    version = cloud.store.last_child("version", script_of(cloud, request)["id"])
    return ok([_shown(name) for name in secrets(version)] if version else [])


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/secrets/{secret}: its name and type."""
    version = worker_record.latest(cloud, script_of(cloud, request))
    return ok(_shown(_known(version, request.path_params["secret"])))


async def put(cloud: Cloud, request: Request) -> Response:
    """PUT /workers/scripts/{name}/secrets."""
    worker, body = script_of(cloud, request), await body_of(request)
    binding = _secret(body)
    await _change(cloud, request, worker, {binding["name"]: binding})
    return ok(_shown(binding["name"]))


async def put_all(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/scripts/{name}/secrets-bulk: all in one version; null removes a secret."""
    worker, body = script_of(cloud, request), await body_of(request)
    demand_objects(body.get("secrets"), "secrets")
    changes = {name: None if value is None else _secret({**value, "name": name}) for name, value in body["secrets"].items()}
    version = await _change(cloud, request, worker, changes)
    return ok([_shown(name) for name in secrets(version)])


async def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE /workers/scripts/{name}/secrets/{secret}."""
    worker = script_of(cloud, request)
    name = _known(worker_record.latest(cloud, worker), request.path_params["secret"])
    await _change(cloud, request, worker, {name: None})
    return ok(None)


async def _change(cloud: Cloud, request: Request, worker: Body, changes: dict[str, Body | None]) -> Body:
    latest = worker_record.latest(cloud, worker)
    if not is_deployed(cloud, worker, latest):
        raise Refusal(BAD_REQUEST, _NOT_DEPLOYED, _NOT_DEPLOYED_TEXT)
    origin = Origin(source(request), "secret")
    version = await judge(cloud, changed(latest, bindings=replaced(latest, changes)), latest, origin)
    return await ship(cloud, worker, version, origin)


def _secret(body: Body) -> Body:
    name, text, kind = body.get("name"), body.get("text"), body.get("type", "secret_text")
    if kind != "secret_text":
        raise Refusal(501, UNKNOWN_ROUTE, f"The local cloud does not emulate secrets of type {kind}")
    if not isinstance(name, str) or not name or not isinstance(text, str):
        raise Refusal(BAD_REQUEST, _BAD_SECRET, "A secret has a name and a text")
    return {"name": name, "type": kind, "text": text}


def _known(version: Body, name: str) -> str:
    if name not in secrets(version):
        raise Refusal(NOT_FOUND, _NO_SUCH_SECRET, f"Secret '{name}' not found")
    return name


def _shown(name: str) -> Body:
    return {"name": name, "type": "secret_text"}


_SECRETS = "/accounts/{a}/workers/scripts/{name}/secrets"
ROUTES: dict[str, Handler] = {
    f"GET {_SECRETS}": listing,
    f"PUT {_SECRETS}": put,
    f"GET {_SECRETS}/{{secret}}": show,
    f"DELETE {_SECRETS}/{{secret}}": delete,
    f"PATCH {_SECRETS}-bulk": put_all,
}
