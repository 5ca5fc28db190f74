"""Versions over both APIs: the newer one with JSON, which the Pulumi provider uses, and scripts with forms, which wrangler uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import NOT_FOUND, UNKNOWN_ROUTE, Refusal, ok, page
from local_cloud.workers import class_migrations, worker_record
from local_cloud.workers.bindings import replaced, shown
from local_cloud.workers.deploy import ship
from local_cloud.workers.kinds import notes
from local_cloud.workers.routes.requests import flag, inherits_strictly, script_of, source, worker_of
from local_cloud.workers.routes.upload_form import demand_objects, json_of, kept, read, refuse_unemulated, uploaded
from local_cloud.workers.runtime_options import OLDEST_DATE
from local_cloud.workers.store_version import Origin, judge, take
from local_cloud.workers.version_assets import shown_assets, with_assets
from local_cloud.workers.version_record import changed, deployable, etag, handlers, script_version, version_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_NO_VERSIONS = 10222
_INTERNAL = {"worker_id", "startup_time_ms", "handlers", "classes", "migrations", "deployed_tag"}


async def upload(cloud: Cloud, request: Request) -> Response:
    """POST /workers/workers/{id}/versions: accepted once it has started in workerd; ``?deploy=true`` gives it all traffic."""
    worker, body = worker_of(cloud, request), json_of(await read(request))
    refuse_unemulated(body)
    migrations = class_migrations.carried(body)
    class_migrations.require_tag(migrations, worker.get("migration_tag"))
    body = with_assets(cloud, worker["name"], body, cloud.store.last_child("version", worker["id"]))
    origin = Origin(source(request), "create_version_api")
    if flag(request, "deploy"):
        checked = await judge(cloud, body, cloud.store.last_child("version", worker["id"]), origin, strict=inherits_strictly(request))
        version = await ship(cloud, worker, checked, Origin(origin.source, "deployment"))
    else:
        version = await take(cloud, worker, body, origin, strict=inherits_strictly(request))
    return ok(_public(cloud, worker, version, modules=True), notes=[*notes(version["bindings"]), *class_migrations.notes(migrations)])


async def change_latest(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/workers/{id}/versions/latest: a new version like the latest one, with other secrets; it gets no traffic."""
    worker, body = worker_of(cloud, request), await body_of(request)
    latest = cloud.store.last_child("version", worker["id"])
    if latest is None:
        raise Refusal(NOT_FOUND, _NO_VERSIONS, "This Worker has no versions.")
    if body.keys() - {"env", "annotations"}:
        raise Refusal(501, UNKNOWN_ROUTE, "The local cloud changes only env and annotations of the latest version")
    env = body.get("env") or {}
    demand_objects(env, "env")
    upload_body = changed(latest, bindings=replaced(latest, env), annotations=body.get("annotations"))
    version = await take(cloud, worker, upload_body, Origin(source(request), "secret"))
    return ok(_public(cloud, worker, version, modules=False))


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}/versions, newest first."""
    worker = worker_of(cloud, request)
    newest_first = cloud.store.children("version", worker["id"])[::-1]
    return page([_public(cloud, worker, version, modules=False) for version in newest_first], request.query_params)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/workers/{id}/versions/{vid}; ``?include=modules`` adds their content."""
    worker = worker_of(cloud, request)
    version = version_of(cloud, worker, request.path_params["vid"])
    return ok(_public(cloud, worker, version, modules=request.query_params.get("include") == "modules"))


async def upload_form(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/versions: a form, for an existing script."""
    worker = script_of(cloud, request)
    metadata, body = await uploaded(request)
    if class_migrations.carried(metadata):
        raise class_migrations.not_as_a_version()
    body = with_assets(cloud, worker["name"], body, cloud.store.last_child("version", worker["id"]))
    origin = Origin(source(request), "version_upload")
    version = await take(cloud, worker, body, origin, keep_types=kept(metadata), strict=inherits_strictly(request))
    return ok({**detailed(cloud, worker, version), "startup_time_ms": version["startup_time_ms"]}, notes=notes(version["bindings"]))


async def summaries(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/versions, newest first; ``?deployable=true`` leaves out those that can no longer be deployed."""
    worker = script_of(cloud, request)
    versions = deployable(cloud, worker) if flag(request, "deployable") else cloud.store.children("version", worker["id"])[::-1]
    return page([_summary(worker, version) for version in versions], request.query_params, under="items")


async def details(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/versions/{id}."""
    worker = script_of(cloud, request)
    return ok(detailed(cloud, worker, script_version(cloud, worker, request.path_params["id"])))


def detailed(cloud: Cloud, worker: Body, version: Body) -> Body:
    """Give a version as the scripts routes show it."""
    runtime: Body = {key: version[key] for key in ("compatibility_flags", "usage_model", "limits") if key in version}
    resources = {
        "bindings": shown(version, cloud.behaviour),
        "script": {"etag": etag(version), "handlers": handlers(version), "last_deployed_from": version["source"]},
        "script_runtime": {
            "compatibility_date": version.get("compatibility_date", OLDEST_DATE),
            **runtime,
            **class_migrations.shown_tag(version),
        },
    }
    return {**_summary(worker, version), "resources": resources}


def _summary(worker: Body, version: Body) -> Body:
    metadata = {
        "created_on": version["created_on"],
        "modified_on": version["created_on"],
        "source": version["source"],
        "author_id": "",
        "author_email": worker_record.AUTHOR,
        "has_preview": worker["subdomain"]["previews_enabled"],
    }
    return {"id": version["id"], "number": version["number"], "metadata": metadata, "annotations": version["annotations"]}


def _public(cloud: Cloud, worker: Body, version: Body, *, modules: bool) -> Body:
    prefixes = [version["id"][:8], *filter(None, [version["annotations"].get("workers/alias")])]
    urls = [f"https://{prefix}-{worker['name']}.{cloud.subdomain}.workers.dev" for prefix in prefixes]
    hidden = _INTERNAL if modules else {*_INTERNAL, "modules"}
    visible = {key: value for key, value in version.items() if key not in hidden}
    visible |= {**shown_assets(version), **class_migrations.shown_tag(version)}
    return {**visible, "urls": urls if worker["subdomain"]["previews_enabled"] else [], "bindings": shown(version, cloud.behaviour)}


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
