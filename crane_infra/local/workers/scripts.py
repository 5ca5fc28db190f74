"""The scripts routes: deployments, schedules, and versions as wrangler reads them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from crane_infra.local.cloud import Cloud, Handler, body_of, stamp
from crane_infra.local.envelope import BAD_REQUEST, BAD_WORKER, INTERNAL, NO_SUCH_WORKER, NOT_FOUND, Refusal, ok, page
from crane_infra.local.ids import new_uuid
from crane_infra.local.workerd.node import NodeError
from crane_infra.local.workers.live import OLDEST_DATE
from crane_infra.local.workers.workers import public_bindings, version_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.store import Body

AUTHOR = "local@crane.invalid"
_BAD_CRON, _MOST_VERSIONS, _CRON_FIELDS = 10100, 2, 5


async def deploy(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/deployments: acknowledged once the versions really serve."""
    worker, body = _script(cloud, request), await body_of(request)
    deployment: Body = {
        "id": new_uuid(),
        "created_on": stamp(),
        "source": "api",
        "author_email": AUTHOR,
        "annotations": {"workers/triggered_by": "deployment", **(body.get("annotations") or {})},
        "strategy": "percentage",
        "versions": _shares(cloud, worker, body),
    }
    cloud.store.add("deployment", deployment["id"], deployment, parent=worker["id"])
    cloud.workerd.touch()
    try:
        await cloud.workerd.apply()
    except NodeError as error:
        cloud.store.remove(deployment["id"])
        cloud.workerd.touch()
        raise Refusal(500, INTERNAL, f"The deployment does not start: {error}") from error
    return ok(deployment)


async def deployments(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/deployments, newest first."""
    newest_first = cloud.store.children("deployment", _script(cloud, request)["id"])[::-1]
    return page(newest_first, request.query_params, under="deployments")


async def deployment(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/deployments/{id}."""
    for found in cloud.store.children("deployment", _script(cloud, request)["id"]):
        if found["id"] == request.path_params["id"]:
            return ok(found)
    raise Refusal(NOT_FOUND, NO_SUCH_WORKER, f"The deployment {request.path_params['id']} does not exist on this Worker.")


async def schedules(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/schedules."""
    return ok({"schedules": _schedules(cloud, _script(cloud, request))})


async def schedule(cloud: Cloud, request: Request) -> Response:
    """PUT /workers/scripts/{name}/schedules: the whole list. They are kept, not run."""
    worker, wanted = _script(cloud, request), await body_of(request, list)
    crons = [entry.get("cron") if isinstance(entry, dict) else None for entry in wanted]
    for cron in crons:
        if not isinstance(cron, str) or len(cron.split()) != _CRON_FIELDS:
            raise Refusal(BAD_REQUEST, _BAD_CRON, f"invalid cron string: {cron}")
    now, before = stamp(), {entry["cron"]: entry for entry in _schedules(cloud, worker)}
    entries = [before.get(cron, {"cron": cron, "created_on": now, "modified_on": now}) for cron in crons]
    ident = f"{worker['id']}/schedules"
    with cloud.store.together():
        cloud.store.remove(ident)
        cloud.store.add("schedules", ident, {"schedules": entries}, parent=worker["id"])
    return ok({"schedules": entries})


async def versions(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/versions, newest first."""
    newest_first = cloud.store.children("version", _script(cloud, request)["id"])[::-1]
    return page([_summary(version) for version in newest_first], request.query_params, under="items")


async def version(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/versions/{id}."""
    found = version_of(cloud, _script(cloud, request), request.path_params["id"])
    runtime = {key: found[key] for key in ("compatibility_flags", "usage_model")}
    resources = {
        "bindings": public_bindings(found),
        "script": {"etag": _etag(found), "handlers": ["fetch"], "last_deployed_from": "api"},
        "script_runtime": {"compatibility_date": found.get("compatibility_date", OLDEST_DATE), **runtime},
    }
    return ok({**_summary(found), "resources": resources})


async def scripts(cloud: Cloud, _: Request) -> Response:
    """GET /workers/scripts: the workers that have a version."""
    found = [(worker, cloud.store.last_child("version", worker["id"])) for worker in cloud.store.all("worker")]
    return ok([_listed(worker, newest) for worker, newest in found if newest])


def _script(cloud: Cloud, request: Request) -> Body:
    found = cloud.store.named("worker", request.path_params["name"])
    if found is None:
        raise Refusal(NOT_FOUND, NO_SUCH_WORKER, "This Worker does not exist on your account.")
    return found


def _shares(cloud: Cloud, worker: Body, body: Body) -> list[Body]:
    shares = body.get("versions")
    if body.get("strategy", "percentage") != "percentage" or not isinstance(shares, list) or not 1 <= len(shares) <= _MOST_VERSIONS:
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A deployment has the strategy percentage and one or two versions")
    kept: list[Body] = [
        {"percentage": share.get("percentage"), "version_id": share.get("version_id")} for share in shares if isinstance(share, dict)
    ]
    known = {version["id"] for version in cloud.store.children("version", worker["id"])}
    for share in kept:
        if share["version_id"] not in known:
            raise Refusal(BAD_REQUEST, BAD_WORKER, f"Version {share['version_id']} does not exist on this Worker")
    if len({share["version_id"] for share in kept}) != len(shares):
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A deployment names each version once")
    percentages = [share["percentage"] for share in kept]
    if not all(map(_is_percentage, percentages)) or sum(percentages) != 100:  # noqa: PLR2004
        raise Refusal(BAD_REQUEST, BAD_WORKER, "The percentages of a deployment's versions must add up to 100")
    return kept


def _is_percentage(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100  # noqa: PLR2004


def _schedules(cloud: Cloud, worker: Body) -> list[Body]:
    found = cloud.store.last_child("schedules", worker["id"])
    return list(found["schedules"]) if found else []


def _summary(version: Body) -> Body:
    created = version["created_on"]
    metadata = {
        "created_on": created,
        "modified_on": created,
        "source": "api",
        "author_id": "",
        "author_email": AUTHOR,
        "hasPreview": False,
    }
    return {"id": version["id"], "number": version["number"], "metadata": metadata, "annotations": version["annotations"]}


def _listed(worker: Body, newest: Body) -> Body:
    return {
        "id": worker["name"],
        "tag": worker["id"],
        "etag": _etag(newest),
        "handlers": ["fetch"],
        "created_on": worker["created_on"],
        "modified_on": newest["created_on"],
        "has_modules": True,
        "has_assets": False,
        "last_deployed_from": "api",
        "compatibility_date": newest.get("compatibility_date", OLDEST_DATE),
        "compatibility_flags": newest["compatibility_flags"],
        "logpush": worker["logpush"],
        "tags": worker["tags"],
        "tail_consumers": worker["tail_consumers"],
        "usage_model": newest["usage_model"],
    }


def _etag(version: Body) -> str:
    return hashlib.sha256(json.dumps(version["modules"], sort_keys=True).encode()).hexdigest()


_SCRIPT = "/accounts/{a}/workers/scripts"
ROUTES: dict[str, Handler] = {
    f"GET {_SCRIPT}": scripts,
    f"POST {_SCRIPT}/{{name}}/deployments": deploy,
    f"GET {_SCRIPT}/{{name}}/deployments": deployments,
    f"GET {_SCRIPT}/{{name}}/deployments/{{id}}": deployment,
    f"GET {_SCRIPT}/{{name}}/schedules": schedules,
    f"PUT {_SCRIPT}/{{name}}/schedules": schedule,
    f"GET {_SCRIPT}/{{name}}/versions": versions,
    f"GET {_SCRIPT}/{{name}}/versions/{{id}}": version,
}
