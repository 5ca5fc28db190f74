"""The workers and versions routes (Cloudflare's newer API for Workers, which the Pulumi provider speaks)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crane_infra.local.cloud import Cloud, Handler, body_of, stamp
from crane_infra.local.envelope import BAD_REQUEST, CONFLICT, MALFORMED, NO_SUCH_WORKER, NOT_FOUND, UNKNOWN_ROUTE, Refusal, ok, page
from crane_infra.local.ids import new_hex, new_uuid
from crane_infra.local.store import NameTakenError
from crane_infra.local.workers.live import trial
from crane_infra.local.workers.uploads import examine, refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.store import Body

_TAKEN = 10040
_SETTINGS: Body = {
    "logpush": False,
    "observability": {
        "enabled": False,
        "head_sampling_rate": 1,
        "logs": {"enabled": False, "head_sampling_rate": 1, "invocation_logs": True, "destinations": [], "persist": True},
        "traces": {"enabled": False, "head_sampling_rate": 1, "destinations": [], "persist": True},
    },
    "subdomain": {"enabled": False, "previews_enabled": False},
    "tags": [],
    "tail_consumers": [],
}
_REFERENCES: Body = {"dispatch_namespace_outbounds": [], "domains": [], "durable_objects": [], "queues": [], "workers": []}
_SECRET_FIELDS = {"secret_text": {"text"}}


async def create(cloud: Cloud, request: Request) -> Response:
    """POST /workers/workers."""
    body = await body_of(request)
    now = stamp()
    fixed = {"id": new_hex(), "created_on": now, "updated_on": now, "deployed_on": None, "references": _REFERENCES}
    worker = {**fixed, **_settings(body, _SETTINGS)}
    try:
        cloud.store.add("worker", worker["id"], worker, name=worker["name"])
    except NameTakenError as error:
        raise _taken(worker["name"]) from error
    return ok(worker)


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers."""
    return page(cloud.store.all("worker"), request.query_params)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}, by id or name."""
    return ok(_worker(cloud, request))


async def replace(cloud: Cloud, request: Request) -> Response:
    """PUT /workers/workers/{id}: what the body does not name goes back to its default."""
    worker = _worker(cloud, request)
    return _changed(cloud, worker, _settings(await body_of(request), _SETTINGS))


async def patch(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/workers/{id}: what the body does not name stays."""
    worker = _worker(cloud, request)
    present = {key: worker[key] for key in (*_SETTINGS, "name")}
    return _changed(cloud, worker, _settings(_merged(present, await body_of(request)), present))


async def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE /workers/workers/{id}, with its versions, deployments and schedules."""
    cloud.store.remove(_worker(cloud, request)["id"])
    cloud.workerd.touch()
    await cloud.workerd.apply()
    return ok(None)


async def upload(cloud: Cloud, request: Request) -> Response:
    """POST /workers/workers/{id}/versions: taken once it has really started in workerd."""
    worker, body = _worker(cloud, request), await body_of(request)
    if request.query_params.get("deploy", "false") != "false":
        raise Refusal(501, UNKNOWN_ROUTE, "The local cloud does not emulate ?deploy=true: create the deployment in a call of its own")
    examine(body, cloud.store, cloud.workerd.newest_date)
    version = _version(worker, body)
    output = await cloud.workerd.check(trial(version))
    if output is not None:
        raise refusal(output)
    last = cloud.store.last_child("version", _worker(cloud, request)["id"])
    version["number"] = last["number"] + 1 if last else 1
    cloud.store.add("version", version["id"], version, parent=worker["id"])
    return ok(_public(cloud, worker, version, modules=True))


async def versions(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}/versions, newest first."""
    worker = _worker(cloud, request)
    newest_first = cloud.store.children("version", worker["id"])[::-1]
    return page([_public(cloud, worker, version, modules=False) for version in newest_first], request.query_params)


async def version(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}/versions/{vid}; ``?include=modules`` adds their content."""
    worker = _worker(cloud, request)
    found = version_of(cloud, worker, request.path_params["vid"])
    return ok(_public(cloud, worker, found, modules=request.query_params.get("include") == "modules"))


def version_of(cloud: Cloud, worker: Body, ident: str) -> Body:
    """Give a worker's version; refuse an unknown one (404)."""
    found = cloud.store.get("version", ident)
    if found is None or found["worker_id"] != worker["id"]:
        raise Refusal(NOT_FOUND, NO_SUCH_WORKER, f"The version {ident} does not exist on this Worker.")
    return found


def public_bindings(version: Body) -> list[Body]:
    """Give a version's bindings without the values of secrets."""
    return [
        {key: value for key, value in binding.items() if key not in _SECRET_FIELDS.get(binding["type"], set())}
        for binding in version["bindings"]
    ]


def _worker(cloud: Cloud, request: Request) -> Body:
    return cloud.worker(request.path_params["id"])


def _settings(body: Body, defaults: Body) -> Body:
    name = body.get("name", defaults.get("name"))
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,62}", name):
        raise Refusal(BAD_REQUEST, MALFORMED, "Invalid Worker name: lower case letters, digits, _ and - only, at most 63")
    given = {key: body[key] for key in defaults if body.get(key) is not None}
    subdomain = {**_SETTINGS["subdomain"], **given.get("subdomain", {})}
    return {**defaults, **given, "subdomain": subdomain, "name": name}


def _changed(cloud: Cloud, worker: Body, settings: Body) -> Response:
    changed = {**worker, **settings, "updated_on": stamp()}
    try:
        cloud.store.put(worker["id"], changed, name=changed["name"])
    except NameTakenError as error:
        raise _taken(changed["name"]) from error
    cloud.workerd.touch()
    return ok(changed)


def _merged(old: Body, new: Body) -> Body:
    both = {
        key: _merged(old[key], new[key]) for key in old.keys() & new.keys() if isinstance(old[key], dict) and isinstance(new[key], dict)
    }
    return {**old, **new, **both}


def _taken(name: str) -> Refusal:
    return Refusal(CONFLICT, _TAKEN, f"A Worker with the name '{name}' already exists on this account.")


def _version(worker: Body, body: Body) -> Body:
    return {
        **body,
        "id": new_uuid(),
        "worker_id": worker["id"],
        "created_on": stamp(),
        "source": "api",
        "usage_model": body.get("usage_model", "standard"),
        "annotations": {"workers/triggered_by": "create_version_api", **(body.get("annotations") or {})},
        "compatibility_flags": body.get("compatibility_flags") or [],
        "bindings": body.get("bindings") or [],
    }


def _public(cloud: Cloud, worker: Body, version: Body, *, modules: bool) -> Body:
    url = f"https://{version['id'][:8]}-{worker['name']}.{cloud.subdomain}.workers.dev"
    urls = [url] if worker["subdomain"]["previews_enabled"] else []
    hidden = {"worker_id"} if modules else {"worker_id", "modules"}
    shown = {key: value for key, value in version.items() if key not in hidden}
    return {**shown, "urls": urls, "bindings": public_bindings(version)}


_WORKER = "/accounts/{a}/workers/workers"
ROUTES: dict[str, Handler] = {
    f"POST {_WORKER}": create,
    f"GET {_WORKER}": listing,
    f"GET {_WORKER}/{{id}}": show,
    f"PUT {_WORKER}/{{id}}": replace,
    f"PATCH {_WORKER}/{{id}}": patch,
    f"DELETE {_WORKER}/{{id}}": delete,
    f"POST {_WORKER}/{{id}}/versions": upload,
    f"GET {_WORKER}/{{id}}/versions": versions,
    f"GET {_WORKER}/{{id}}/versions/{{vid}}": version,
}
