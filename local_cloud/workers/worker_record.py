"""The one record behind a worker and a script: its settings, what it shows, and what binds it.

wrangler's API calls it a script, the newer API a worker; both use the same record, so each sees the other's changes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local_cloud.envelope import BAD_REQUEST, CONFLICT, MALFORMED, NO_SUCH_WORKER, NOT_FOUND, Refusal
from local_cloud.ids import new_hex
from local_cloud.workers import observability
from local_cloud.workers.bindings import services

if TYPE_CHECKING:
    from local_cloud.cloud import Cloud
    from local_cloud.store import Body, Store

AUTHOR = "local@crane.invalid"
DEFAULTS: Body = {  # of observability, only what somebody stored is kept
    "logpush": False,
    "observability": {},
    "subdomain": {"enabled": False, "previews_enabled": False},
    "tags": [],
    "tail_consumers": [],
}
_TAKEN = 10040
_REFERENCES: Body = {"dispatch_namespace_outbounds": [], "domains": [], "durable_objects": [], "queues": [], "workers": []}


def new_worker(body: Body, now: str) -> Body:
    """Give the record of a new worker; raises Refusal for an invalid name."""
    fixed = {"id": new_hex(), "created_on": now, "updated_on": now, "deployed_on": None, "references": _REFERENCES}
    return {**fixed, **settings_of(body, DEFAULTS)}


def settings_of(body: Body, defaults: Body) -> Body:
    """Give name and script-level settings: those of the body, else the defaults; raises Refusal for an invalid name."""
    name = body.get("name", defaults.get("name"))
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,62}", name):
        raise Refusal(BAD_REQUEST, MALFORMED, "Invalid Worker name: lower case letters, digits, _ and - only, at most 63")
    given = {key: body[key] for key in DEFAULTS if body.get(key) is not None}
    subdomain = {**DEFAULTS["subdomain"], **given.get("subdomain", {})}
    return {**defaults, **given, "subdomain": subdomain, "name": name}


def present_settings(worker: Body) -> Body:
    """Give a worker's name and script-level settings."""
    return {key: worker[key] for key in (*DEFAULTS, "name")}


def shown_worker(cloud: Cloud, worker: Body) -> Body:
    """Give a worker as the newer API shows it: with its last deployment's time, and the workers that bind it."""
    deployment = cloud.store.last_child("deployment", worker["id"])
    by = [{"id": other["id"], "name": other["name"]} for other in binders(cloud.store, worker["name"])]
    return {
        **{key: value for key, value in worker.items() if key != "migration_tag"},
        "deployed_on": deployment and deployment["created_on"],
        "references": {**worker["references"], "workers": by},
        "observability": observability.shown(worker["observability"], cloud.behaviour.worker_observability),
    }


def binders(store: Store, name: str) -> list[Body]:
    """Give the other workers whose active deployment binds a script as a service."""
    return [worker for worker in store.overview(_binders_by_script).get(name, ()) if worker["name"] != name]


def _binders_by_script(store: Store) -> dict[str, list[Body]]:
    found: dict[str, list[Body]] = {}
    for worker in store.all("worker"):
        for name in set().union(*(services(version) for version in active(store, worker))):
            found.setdefault(name, []).append(worker)
    return found


def active(store: Store, worker: Body) -> list[Body]:
    """Give the versions of a worker's newest deployment."""
    deployment = store.last_child("deployment", worker["id"])
    versions = [store.get("version", share["version_id"]) for share in deployment["versions"]] if deployment else []
    return [version for version in versions if version is not None]


def latest(cloud: Cloud, worker: Body) -> Body:
    """Give a worker's latest version; a script without one does not exist yet (404, 10007)."""
    version = cloud.store.last_child("version", worker["id"])
    if version is None:
        raise no_such_worker()
    return version


def remove(cloud: Cloud, worker: Body) -> None:
    """Remove a worker with its versions, deployments and schedules; what runs of it ends before the next request is answered."""
    cloud.store.remove(worker["id"])
    cloud.propagation.forget(worker["id"])
    cloud.workerd.touch()


def no_such_worker() -> Refusal:
    """Give Cloudflare's refusal of an unknown worker."""
    return Refusal(NOT_FOUND, NO_SUCH_WORKER, "This Worker does not exist on your account.")


def taken(name: str) -> Refusal:
    """Give the refusal of a name that another worker already has."""
    return Refusal(CONFLICT, _TAKEN, f"A Worker with the name '{name}' already exists on this account.")


def annotated(given: Any, triggered_by: str) -> dict[str, str]:  # noqa: ANN401 (JSON)
    """Give annotations with what triggered them."""
    kept = given if isinstance(given, dict) else {}
    return {"workers/triggered_by": triggered_by, **{key: str(value) for key, value in kept.items() if value is not None}}
