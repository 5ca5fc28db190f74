"""The record of a version: how it is found, which ones can be deployed, and what it shows of itself."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from local_cloud.envelope import NOT_FOUND, Refusal

if TYPE_CHECKING:
    from local_cloud.cloud import Cloud
    from local_cloud.store import Body

DEPLOYABLE = 100
VERSIONED = (
    "main_module",
    "bindings",
    "compatibility_date",
    "compatibility_flags",
    "annotations",
    "usage_model",
    "limits",
    "placement",
    "assets",
)
"""The keys of an upload that belong to a version; the rest are settings of its script."""
_WORKER_VERSION_NOT_FOUND, _VERSION_NOT_FOUND = 10071, 100146


def version_of(cloud: Cloud, worker: Body, ident: str) -> Body:
    """Give a worker's version as the newer API finds it; refuse an unknown one (404, 10071)."""
    version = _version(cloud, worker, ident)
    if version is None:
        raise _not_found(_WORKER_VERSION_NOT_FOUND)
    return version


def script_version(cloud: Cloud, worker: Body, ident: str) -> Body:
    """Give a script's version; refuse an unknown one (404, 100146)."""
    version = _version(cloud, worker, ident)
    if version is None:
        raise version_not_found()
    return version


def version_not_found() -> Refusal:
    """Give the refusal of a version that a script does not have, or can no longer deploy."""
    return _not_found(_VERSION_NOT_FOUND)


def deployable(cloud: Cloud, worker: Body) -> list[Body]:
    """Give the versions that can be deployed, newest first."""
    return cloud.store.children("version", worker["id"])[-DEPLOYABLE:][::-1]


def changed(latest: Body, **changes: object) -> Body:
    """Give the upload of a version like ``latest``, with these changes and with annotations of its own."""
    same = {key: latest[key] for key in (*VERSIONED, "modules") if key in latest and key != "annotations"}
    return {**same, **{key: value for key, value in changes.items() if value is not None}}


def handlers(version: Body) -> list[str]:
    """Give the events that a version handles; ``fetch`` for one that was stored before this was recorded."""
    return list(version.get("handlers", ["fetch"]))


def etag(version: Body) -> str:
    """Give a digest of a version's modules."""
    return hashlib.sha256(json.dumps(version["modules"], sort_keys=True).encode()).hexdigest()


def _version(cloud: Cloud, worker: Body, ident: str) -> Body | None:
    version = cloud.store.get("version", ident)
    return version if version and version["worker_id"] == worker["id"] else None


def _not_found(code: int) -> Refusal:
    return Refusal(NOT_FOUND, code, "The requested Worker version could not be found, please check the ID being passed and try again.")
