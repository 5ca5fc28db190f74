"""Versions, over both APIs: the newer one's JSON, which the Pulumi provider speaks, and scripts' forms, which wrangler speaks."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from crane_infra.local.cloud import Cloud, Handler, body_of
from crane_infra.local.envelope import NOT_FOUND, UNKNOWN_ROUTE, Refusal, ok, page
from crane_infra.local.workers import forms, records
from crane_infra.local.workers.bindings import replaced, shown
from crane_infra.local.workers.deployments import ship
from crane_infra.local.workers.intake import Origin, changed, deployable, judge, script_version, take, version_of
from crane_infra.local.workers.live import OLDEST_DATE

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.store import Body

_NO_VERSIONS = 10222
_INTERNAL = {"worker_id", "startup_time_ms", "handlers"}


async def upload(cloud: Cloud, request: Request) -> Response:
    """POST /workers/workers/{id}/versions: taken once it has really started in workerd; ``?deploy=true`` gives it all traffic."""
    worker, body = _worker(cloud, request), forms.json_of(await forms.read(request))
    forms.refuse_unemulated(body)
    origin = Origin(records.source(request), "create_version_api")
    if records.flag(request, "deploy"):
        judged = await judge(cloud, body, cloud.store.last_child("version", worker["id"]), origin, strict=_strict(request))
        version = await ship(cloud, worker, judged, Origin(origin.source, "deployment"))
    else:
        version = await take(cloud, worker, body, origin, strict=_strict(request))
    return ok(_public(cloud, worker, version, modules=True))


async def change_latest(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/workers/{id}/versions/latest: a new version like the latest one, with other secrets; it gets no traffic."""
    worker, body = _worker(cloud, request), await body_of(request)
    latest = cloud.store.last_child("version", worker["id"])
    if latest is None:
        raise Refusal(NOT_FOUND, _NO_VERSIONS, "This Worker has no versions.")
    if body.keys() - {"env", "annotations"}:
        raise Refusal(501, UNKNOWN_ROUTE, "The local cloud changes only env and annotations of the latest version")
    env = body.get("env") or {}
    forms.demand_objects(env, "env")
    wanted = changed(latest, bindings=replaced(latest, env), annotations=body.get("annotations"))
    version = await take(cloud, worker, wanted, Origin(records.source(request), "secret"))
    return ok(_public(cloud, worker, version, modules=False))


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}/versions, newest first."""
    worker = _worker(cloud, request)
    newest_first = cloud.store.children("version", worker["id"])[::-1]
    return page([_public(cloud, worker, version, modules=False) for version in newest_first], request.query_params)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}/versions/{vid}; ``?include=modules`` adds their content."""
    worker = _worker(cloud, request)
    found = version_of(cloud, worker, request.path_params["vid"])
    return ok(_public(cloud, worker, found, modules=request.query_params.get("include") == "modules"))


async def upload_form(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/versions: a form, of a script that exists."""
    worker = records.script(cloud, request)
    metadata, body = await forms.uploaded(request)
    origin = Origin(records.source(request), "version_upload")
    version = await take(cloud, worker, body, origin, keep_types=forms.kept(metadata), strict=_strict(request))
    return ok({**detailed(worker, version), "startup_time_ms": version["startup_time_ms"]})


async def summaries(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/versions, newest first; ``?deployable=true`` leaves out those that cannot be deployed any more."""
    worker = records.script(cloud, request)
    found = deployable(cloud, worker) if records.flag(request, "deployable") else cloud.store.children("version", worker["id"])[::-1]
    return page([_summary(worker, version) for version in found], request.query_params, under="items")


async def details(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/versions/{id}."""
    worker = records.script(cloud, request)
    return ok(detailed(worker, script_version(cloud, worker, request.path_params["id"])))


def detailed(worker: Body, version: Body) -> Body:
    """Give a version as the scripts routes show it."""
    runtime: Body = {key: version[key] for key in ("compatibility_flags", "usage_model", "limits") if key in version}
    resources = {
        "bindings": shown(version),
        "script": {"etag": etag(version), "handlers": handlers(version), "last_deployed_from": version["source"]},
        "script_runtime": {"compatibility_date": version.get("compatibility_date", OLDEST_DATE), **runtime},
    }
    return {**_summary(worker, version), "resources": resources}


def handlers(version: Body) -> list[str]:
    """Give what a version handles; one that was stored before that was looked at has ``fetch``."""
    return list(version.get("handlers", ["fetch"]))


def etag(version: Body) -> str:
    """Give a digest of a version's modules."""
    return hashlib.sha256(json.dumps(version["modules"], sort_keys=True).encode()).hexdigest()


def _summary(worker: Body, version: Body) -> Body:
    metadata = {
        "created_on": version["created_on"],
        "modified_on": version["created_on"],
        "source": version["source"],
        "author_id": "",
        "author_email": records.AUTHOR,
        "has_preview": worker["subdomain"]["previews_enabled"],
    }
    return {"id": version["id"], "number": version["number"], "metadata": metadata, "annotations": version["annotations"]}


def _public(cloud: Cloud, worker: Body, version: Body, *, modules: bool) -> Body:
    prefixes = [version["id"][:8], *filter(None, [version["annotations"].get("workers/alias")])]
    urls = [f"https://{prefix}-{worker['name']}.{cloud.subdomain}.workers.dev" for prefix in prefixes]
    hidden = _INTERNAL if modules else {*_INTERNAL, "modules"}
    visible = {key: value for key, value in version.items() if key not in hidden}
    return {**visible, "urls": urls if worker["subdomain"]["previews_enabled"] else [], "bindings": shown(version)}


def _worker(cloud: Cloud, request: Request) -> Body:
    return cloud.worker(request.path_params["id"])


def _strict(request: Request) -> bool:
    return request.query_params.get("bindings_inherit") == "strict"


_WORKER, _SCRIPT = "/accounts/{a}/workers/workers/{id}/versions", "/accounts/{a}/workers/scripts/{name}/versions"
ROUTES: dict[str, Handler] = {
    f"POST {_WORKER}": upload,
    f"GET {_WORKER}": listing,
    f"PATCH {_WORKER}/latest": change_latest,
    f"GET {_WORKER}/{{vid}}": show,
    f"POST {_SCRIPT}": upload_form,
    f"GET {_SCRIPT}": summaries,
    f"GET {_SCRIPT}/{{id}}": details,
}
