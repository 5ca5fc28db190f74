"""Accepts a version: checked, started once, stored. Also drops the content of old versions.

A version is stored only after it has started in workerd. Versions that can no longer be deployed (all but the last 100 and those that
serve) lose their modules and secrets, so that uploads do not fill the disk.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud
from local_cloud.envelope import BAD_REQUEST, Refusal
from local_cloud.ids import new_uuid
from local_cloud.workers import bindings, worker_record
from local_cloud.workers.runtime_options import trial
from local_cloud.workers.validate_upload import examine, refusal
from local_cloud.workers.version_record import DEPLOYABLE

if TYPE_CHECKING:
    from local_cloud.store import Body

_NO_HANDLERS = 10068


@dataclass(frozen=True)
class Origin:
    """Where a version or a deployment comes from: the client (``source``), and its action (``workers/triggered_by``)."""

    source: str
    triggered_by: str


async def judge(
    cloud: Cloud, body: Body, before: Body | None, origin: Origin, *, keep: list[str] | None = None, strict: bool = False
) -> Body:
    """Give the version of an upload, with inherited bindings resolved, after it started once; raises Refusal."""
    declared = body.get("bindings") or []
    if isinstance(declared, list) and all(isinstance(binding, dict) for binding in declared):
        declared = bindings.resolved(declared, before, keep=keep or [], strict=strict)
    version: Body = {
        **body,
        "bindings": declared,
        "id": new_uuid(),
        "created_on": stamp(),
        "source": origin.source,
        "usage_model": body.get("usage_model", "standard"),
        "annotations": worker_record.annotated(body.get("annotations"), origin.triggered_by),
        "compatibility_flags": body.get("compatibility_flags") or [],
    }
    examine(version, cloud.store, cloud.workerd.newest_date)
    if not version.get("main_module"):  # assets alone
        return {**version, "handlers": [], "startup_time_ms": 0}
    began = time.monotonic()
    output, inspected = await cloud.workerd.check(trial(version))
    if output is not None:
        raise refusal(output)
    if not inspected["handlers"] and not inspected["classes"]:
        raise Refusal(BAD_REQUEST, _NO_HANDLERS, "The uploaded script has no registered event handlers.")
    found = {"handlers": inspected["handlers"], "classes": inspected["classes"]}
    return {**version, **found, "startup_time_ms": round((time.monotonic() - began) * 1000)}


def keep(cloud: Cloud, worker: Body, version: Body) -> Body:
    """Store a checked version as the worker's next one and give it."""
    earlier = cloud.store.children("version", worker["id"])
    number = earlier[-1]["number"] + 1 if earlier else 1
    prefixes = {other["id"][:8] for other in earlier}
    ident = next(ident for ident in iter(new_uuid, None) if ident[:8] not in prefixes)  # its preview address has only these digits
    stored = {**version, "id": ident, "worker_id": worker["id"], "number": number}
    cloud.store.add("version", ident, stored, parent=worker["id"])
    return stored


def drop_old(cloud: Cloud, worker: Body) -> None:
    """Drop the modules and secrets of versions that can no longer be deployed and do not serve."""
    used = {share["version_id"] for deployment in cloud.serving(worker) for share in deployment["versions"]}
    with cloud.store.together():
        for old in cloud.store.children("version", worker["id"])[:-DEPLOYABLE]:
            if old["id"] not in used and old["modules"]:
                cloud.store.put(old["id"], {**old, "modules": [], "bindings": _without_secrets(old)})


async def take(
    cloud: Cloud, worker: Body, body: Body, origin: Origin, *, keep_types: list[str] | None = None, strict: bool = False
) -> Body:
    """Check and store a version of an existing worker; raises Refusal."""
    before = cloud.store.last_child("version", worker["id"])
    version = await judge(cloud, body, before, origin, keep=keep_types, strict=strict)
    stored = keep(cloud, worker, version)
    drop_old(cloud, worker)
    return stored


def _without_secrets(version: Body) -> list[Body]:
    return [{**binding, "text": ""} if binding["type"] == "secret_text" else binding for binding in version["bindings"]]
