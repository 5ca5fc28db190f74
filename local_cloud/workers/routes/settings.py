"""Settings of a script: those of the script itself, and those of its latest version, which only a new version can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, Refusal, ok
from local_cloud.workers import worker_record
from local_cloud.workers.bindings import shown
from local_cloud.workers.deploy import is_deployed, ship
from local_cloud.workers.routes import upload_form
from local_cloud.workers.routes.requests import inherits_strictly, script_of, source
from local_cloud.workers.runtime_options import OLDEST_DATE
from local_cloud.workers.script_settings import script_level, with_script_level
from local_cloud.workers.store_version import Origin, judge
from local_cloud.workers.version_assets import with_assets
from local_cloud.workers.version_record import VERSIONED, changed

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
    worker = script_of(cloud, request)
    return ok(_settings(cloud, worker, worker_record.latest(cloud, worker)))


async def change(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/scripts/{name}/settings: a new version with all traffic, if the latest one has it (else 10214)."""
    worker, changes = script_of(cloud, request), await upload_form.settings(request)
    upload_form.refuse_unemulated(changes)
    latest = worker_record.latest(cloud, worker)
    changed_worker = with_script_level(worker, changes)
    versioned = {key: changes[key] for key in VERSIONED if changes.get(key) is not None and key != "main_module"}
    if versioned:
        if not is_deployed(cloud, worker, latest):
            raise Refusal(BAD_REQUEST, NOT_DEPLOYED, _NOT_DEPLOYED_TEXT)
        origin = Origin(source(request), "settings")
        strict = inherits_strictly(request)
        upload = with_assets(cloud, worker["name"], versioned, latest) if "assets" in versioned else versioned
        version = await judge(cloud, changed(latest, **upload), latest, origin, strict=strict)
        latest = await ship(cloud, changed_worker, version, origin)
    else:
        cloud.store.put(worker["id"], changed_worker, name=worker["name"])
    return ok(_settings(cloud, changed_worker, latest))


async def show_script(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/script-settings."""
    return ok(script_level(script_of(cloud, request)))


async def change_script(cloud: Cloud, request: Request) -> Response:
    """PATCH /workers/scripts/{name}/script-settings: no new version."""
    worker = with_script_level(script_of(cloud, request), await body_of(request))
    cloud.store.put(worker["id"], worker, name=worker["name"])
    return ok(script_level(worker))


def _settings(cloud: Cloud, worker: Body, version: Body) -> Body:
    kept: Body = {
        key: version[key] for key in ("compatibility_flags", "usage_model", "limits", "placement", "annotations") if key in version
    }
    date = version.get("compatibility_date", OLDEST_DATE)
    return {"bindings": shown(version, cloud.behaviour), "compatibility_date": date, **kept, **script_level(worker)}


_SETTINGS, _SCRIPT_SETTINGS = "/accounts/{a}/workers/scripts/{name}/settings", "/accounts/{a}/workers/scripts/{name}/script-settings"
ROUTES: dict[str, Handler] = {
    f"GET {_SETTINGS}": show,
    f"PATCH {_SETTINGS}": change,
    f"GET {_SCRIPT_SETTINGS}": show_script,
    f"PATCH {_SCRIPT_SETTINGS}": change_script,
}
