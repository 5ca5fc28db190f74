"""Makes a deployment: stores it first, and acknowledges it once its versions can run.

Because it is stored before, a kill cannot lose an acknowledged one. A version that is deployed as it is uploaded is stored together with
its deployment, so a kill never leaves half of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.envelope import INTERNAL, Refusal
from local_cloud.ids import new_uuid
from local_cloud.workerd.node import NodeError
from local_cloud.workers import class_migrations, worker_record
from local_cloud.workers.runtime_options import options
from local_cloud.workers.store_version import Origin, drop_old, keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.cloud import Cloud
    from local_cloud.store import Body

WHOLE = 100
"""All of the traffic, in percent."""
_KEPT = 1000


async def activate(cloud: Cloud, worker: Body, shares: list[Body], origin: Origin, annotations: object = None) -> Body:
    """Deploy these versions and give the deployment; raises Refusal when they cannot run together, and then changes nothing."""
    former = cloud.store.last_child("deployment", worker["id"])
    before = _versions(cloud, {"versions": shares})
    served = {share["version_id"] for earlier in cloud.store.children("deployment", worker["id"]) for share in earlier["versions"]}
    tag, versions = class_migrations.deployed(before, worker.get("migration_tag"), served)
    deployment = _deployment(shares, origin, annotations)
    with cloud.store.together():
        cloud.store.add("deployment", deployment["id"], deployment, parent=worker["id"])
        _put_all(cloud, _with_tag(worker, tag), versions)

    def undo() -> None:
        with cloud.store.together():
            cloud.store.remove(deployment["id"])
            _put_all(cloud, worker, before)

    await _serve(cloud, worker, deployment, former, undo)
    return deployment


async def ship(cloud: Cloud, worker: Body, version: Body, origin: Origin, annotations: object = None) -> Body:
    """Store a checked version, a deployment that gives it all traffic, and its worker's record; give the version.

    Raises Refusal when it cannot run beside the others, and then changes nothing.
    """
    before = cloud.store.get("worker", worker["id"])
    former = cloud.store.last_child("deployment", worker["id"])
    tag, (version,) = class_migrations.deployed([version], worker.get("migration_tag"))
    worker = _with_tag(worker, tag)
    with cloud.store.together():
        _replace(cloud, before, worker)
        stored = keep(cloud, worker, version)
        deployment = _deployment(_whole(stored), origin, annotations)
        cloud.store.add("deployment", deployment["id"], deployment, parent=worker["id"])

    def undo() -> None:
        with cloud.store.together():
            for ident in (deployment["id"], stored["id"]):
                cloud.store.remove(ident)
            _replace(cloud, worker, before)

    await _serve(cloud, worker, deployment, former, undo)
    drop_old(cloud, worker)
    return stored


def is_deployed(cloud: Cloud, worker: Body, version: Body) -> bool:
    """Whether a version has all the traffic."""
    deployment = cloud.store.last_child("deployment", worker["id"])
    return deployment is not None and deployment["versions"] == _whole(version)


def _versions(cloud: Cloud, deployment: Body) -> list[Body]:
    """Give the versions of a deployment."""
    return [version for share in deployment["versions"] if (version := cloud.store.get("version", share["version_id"]))]


def _with_tag(worker: Body, tag: str | None) -> Body:
    return {**worker, "migration_tag": tag} if tag else worker


def _put_all(cloud: Cloud, worker: Body, versions: list[Body]) -> None:
    """Put the records of a worker and its versions, where they are others."""
    if worker != cloud.store.get("worker", worker["id"]):
        cloud.store.put(worker["id"], worker, name=worker["name"])
    for version in versions:
        if version != cloud.store.get("version", version["id"]):
            cloud.store.put(version["id"], version)


def _deployment(shares: list[Body], origin: Origin, annotations: object) -> Body:
    return {
        "id": new_uuid(),
        "created_on": stamp(),
        "source": origin.source,
        "author_email": worker_record.AUTHOR,
        "annotations": worker_record.annotated(annotations, origin.triggered_by),
        "strategy": "percentage",
        "versions": shares,
    }


def _whole(version: Body) -> list[Body]:
    return [{"percentage": WHOLE, "version_id": version["id"]}]


def _replace(cloud: Cloud, present: Body | None, record: Body | None) -> None:
    """Put a worker's record in the place of the present one; None stands for no record."""
    if record is None:
        cloud.store.remove(present["id"] if present else "")
    elif present is None:
        cloud.store.add("worker", record["id"], record, name=record["name"])
    else:
        cloud.store.put(record["id"], record, name=record["name"])


async def _serve(cloud: Cloud, worker: Body, deployment: Body, former: Body | None, undo: Callable[[], None]) -> None:
    """Find out whether a stored deployment can run; if it cannot, undo it and raise Refusal."""
    with cloud.propagating(worker["id"], deployment["id"], former):
        try:
            await cloud.workerd.accept([options(version, lambda _: None) for version in _versions(cloud, deployment)])
        except NodeError as error:
            undo()
            cloud.workerd.touch()
            raise Refusal(500, INTERNAL, f"The deployment does not start: {error}") from error
    _forget_oldest(cloud, worker)


def _forget_oldest(cloud: Cloud, worker: Body) -> None:
    for old in cloud.store.children("deployment", worker["id"])[:-_KEPT]:
        cloud.store.remove(old["id"])
