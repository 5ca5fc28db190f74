"""Settings of a script: those of the script itself, and those of its latest version, which can only be changed by a new version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, Refusal, ok
from local_cloud.workers import upload_form, worker_record
from local_cloud.workers.bindings import shown
from local_cloud.workers.routes.deployments import is_deployed, ship
from local_cloud.workers.runtime_options import OLDEST_DATE
from local_cloud.workers.store_version import Origin, changed, judge

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

NOT_DEPLOYED = 10214
_NOT_DEPLOYED_TEXT = (
    "Script edit failed. You attempted to deploy the latest version with modified settings, but the latest version isn't currently deployed. "
    "Either upload a new version to edit the version settings, or use the script-level settings API "
    '(/workers/scripts/{script_name}/script-settings) to modify the "logpush" and "tail_consumers" settings.'
)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/settings: of the script and its latest version."""
    worker = worker_record.script(cloud, request)
    return ok(_settings(worker, worker_record.latest(cloud, worker)))


async def change(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/scripts/{name}/settings: a new version with all traffic, if the latest one has it (else 10214)."""
    worker, wanted = worker_record.script(cloud, request), await upload_form.settings(request)
    upload_form.refuse_unemulated(wanted)
    latest = worker_record.latest(cloud, worker)
    changed_worker = with_script_level(worker, wanted)
    versioned = {key: wanted[key] for key in upload_form.VERSIONED if wanted.get(key) is not None and key != "main_module"}
    if versioned:
        if not is_deployed(cloud, worker, latest):
            raise Refusal(BAD_REQUEST, NOT_DEPLOYED, _NOT_DEPLOYED_TEXT)
        origin = Origin(worker_record.source(request), "settings")
        strict = request.query_params.get("bindings_inherit") == "strict"
        version = await judge(cloud, changed(latest, **versioned), latest, origin, strict=strict)
        latest = await ship(cloud, changed_worker, version, origin)
    else:
        cloud.store.put(worker["id"], changed_worker, name=worker["name"])
    return ok(_settings(changed_worker, latest))


async def show_script(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/script-settings."""
    return ok(script_level(worker_record.script(cloud, request)))


async def change_script(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/scripts/{name}/script-settings: no new version."""
    worker = with_script_level(worker_record.script(cloud, request), await body_of(request))
    cloud.store.put(worker["id"], worker, name=worker["name"])
    return ok(script_level(worker))


def script_level(worker: Body) -> Body:
    """Give the settings of the script itself, in the words of the scripts routes."""
    consumers = [{"service": consumer.get("name")} for consumer in worker["tail_consumers"]]
    return {**{key: worker[key] for key in upload_form.SCRIPT_LEVEL}, "tail_consumers": consumers}


def with_script_level(worker: Body, wanted: Body) -> Body:
    """Give the worker with the script-level settings that a body names; what it does not name stays."""
    given = {key: wanted[key] for key in upload_form.SCRIPT_LEVEL if wanted.get(key) is not None}
    if not all(isinstance(one, dict) for one in given.get("tail_consumers", [])):
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A tail consumer is an object with a service")
    if "tail_consumers" in given:
        given["tail_consumers"] = [{"name": consumer.get("service")} for consumer in given["tail_consumers"]]
    return {**worker, **worker_record.merge({key: worker[key] for key in given}, given), "updated_on": stamp()} if given else worker


def _settings(worker: Body, version: Body) -> Body:
    kept: Body = {
        key: version[key] for key in ("compatibility_flags", "usage_model", "limits", "placement", "annotations") if key in version
    }
    date = version.get("compatibility_date", OLDEST_DATE)
    return {"bindings": shown(version), "compatibility_date": date, **kept, **script_level(worker)}


_SETTINGS, _SCRIPT_SETTINGS = "/accounts/{a}/workers/scripts/{name}/settings", "/accounts/{a}/workers/scripts/{name}/script-settings"
ROUTES: dict[str, Handler] = {
    f"GET {_SETTINGS}": show,
    f"PATCH {_SETTINGS}": change,
    f"GET {_SCRIPT_SETTINGS}": show_script,
    f"PATCH {_SCRIPT_SETTINGS}": change_script,
}
