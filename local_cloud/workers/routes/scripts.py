"""The scripts routes: a whole script uploaded as a form, listed, read back and deleted, as wrangler and the SDKs do it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from starlette.responses import Response

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler
from local_cloud.envelope import BAD_REQUEST, Refusal, ok
from local_cloud.workers import class_migrations, worker_record
from local_cloud.workers.deploy import ship
from local_cloud.workers.routes import upload_form
from local_cloud.workers.routes.requests import flag, inherits_strictly, script_of, source
from local_cloud.workers.runtime_options import OLDEST_DATE
from local_cloud.workers.script_settings import script_level, with_script_level
from local_cloud.workers.store_version import Origin, judge
from local_cloud.workers.version_assets import with_assets
from local_cloud.workers.version_record import etag, handlers

if TYPE_CHECKING:
    from starlette.requests import Request

    from local_cloud.store import Body

_REFERENCED = 10142
_BOUNDARY = "crane-module-boundary"


async def listing(cloud: Cloud, _: Request) -> Response:
    """GET /workers/scripts: the workers that have a version."""
    newest_versions = [(worker, cloud.store.last_child("version", worker["id"])) for worker in cloud.store.all("worker")]
    return ok([described(worker, newest) for worker, newest in newest_versions if newest])


async def put(cloud: Cloud, request: Request) -> Response:
    """PUT /workers/scripts/{name}: a form; a new version with all traffic, and a new worker if the script does not exist."""
    name = request.path_params["name"]
    metadata, body = await upload_form.uploaded(request)
    migrations = class_migrations.carried(metadata)
    origin = Origin(source(request), "upload")
    present = cloud.store.named("worker", name)
    worker = with_script_level(present or worker_record.new_worker({"name": name}, stamp()), metadata)
    class_migrations.require_tag(migrations, worker.get("migration_tag"))
    before = cloud.store.last_child("version", worker["id"])
    strict = inherits_strictly(request)
    body = with_assets(cloud, name, body, before)
    version = await judge(cloud, body, before, origin, keep=upload_form.kept(metadata), strict=strict)
    version = {**version, "migrations": migrations} if migrations else version
    stored = await ship(cloud, worker, version, origin, {"workers/message": version["annotations"].get("workers/message")})
    times = {"startup_time_ms": stored["startup_time_ms"], "deployment_id": stored["id"].replace("-", "")}
    shown = {**described(cloud.worker(worker["id"]), stored), "entry_point": stored.get("main_module", ""), **times}
    return ok(shown, notes=class_migrations.notes(migrations))


async def content(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name} and …/content/v2: the modules of the latest version, as a form."""
    version = worker_record.latest(cloud, script_of(cloud, request))
    parts = b"".join(_part(module) for module in version["modules"])
    headers = {"cf-entrypoint": version.get("main_module", ""), "etag": etag(version)}
    body = parts + f"--{_BOUNDARY}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={_BOUNDARY}", headers=headers)


async def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE /workers/scripts/{name} and /workers/services/{name}: refused while another worker binds it, unless ``?force=true``."""
    worker = script_of(cloud, request)
    by = [other["name"] for other in worker_record.binders(cloud.store, worker["name"])]
    if by and not flag(request, "force"):
        what = f"Cannot delete service '{worker['name']}' because it is still referenced by service bindings in Workers '{', '.join(by)}'."
        raise Refusal(BAD_REQUEST, _REFERENCED, f"{what} Please remove bindings pointing to it and try again.")
    worker_record.remove(cloud, worker)
    return ok(None)


def described(worker: Body, version: Body) -> Body:
    """Give a script as the lists show it."""
    return {
        "id": worker["name"],
        "tag": worker["id"],
        "etag": etag(version),
        "handlers": handlers(version),
        "created_on": worker["created_on"],
        "modified_on": version["created_on"],
        "has_modules": bool(version["modules"]),
        "has_assets": bool(version.get("assets")),
        "last_deployed_from": version["source"],
        "compatibility_date": version.get("compatibility_date", OLDEST_DATE),
        "compatibility_flags": version["compatibility_flags"],
        "usage_model": version["usage_model"],
        **script_level(worker),
        **({"migration_tag": worker["migration_tag"]} if "migration_tag" in worker else {}),
    }


def _part(module: Body) -> bytes:
    disposition = f'form-data; name="{module["name"]}"; filename="{module["name"]}"'
    head = f"--{_BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: {module['content_type']}\r\n\r\n"
    return head.encode() + base64.b64decode(module["content_base64"]) + b"\r\n"


_SCRIPT = "/accounts/{a}/workers/scripts"
ROUTES: dict[str, Handler] = {
    f"GET {_SCRIPT}": listing,
    f"PUT {_SCRIPT}/{{name}}": put,
    f"GET {_SCRIPT}/{{name}}": content,
    f"GET {_SCRIPT}/{{name}}/content/v2": content,
    f"DELETE {_SCRIPT}/{{name}}": delete,
}
