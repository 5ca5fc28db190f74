"""Deployments: which versions of a script get its traffic, one or two, by percentage.

A deployment is acknowledged once its versions really run. It is stored before that, so a kill cannot lose an acknowledged one; with a version that
is deployed as it is uploaded it is stored as one, so a kill leaves no half of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, INTERNAL, NOT_FOUND, Refusal, ok, page
from local_cloud.ids import new_uuid
from local_cloud.workerd.node import NodeError
from local_cloud.workers import worker_record
from local_cloud.workers.bindings import changed_secrets
from local_cloud.workers.store_version import VERSION_NOT_FOUND, Origin, deployable, drop_old, keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_MOST_VERSIONS, _WHOLE, _KEPT = 2, 100, 1000
_SECRETS_CHANGED, _NO_SUCH_DEPLOYMENT = 10220, 10336


async def create(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/deployments; ``?force=true`` takes a version back although secrets changed since."""
    worker, body = worker_record.script(cloud, request), await body_of(request)
    shares = _shares(cloud, worker, body)
    if not worker_record.flag(request, "force"):
        _refuse_changed_secrets(cloud, worker, shares)
    return ok(await activate(cloud, worker, shares, Origin(worker_record.source(request), "deployment"), body.get("annotations")))


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/deployments, newest first."""
    newest_first = cloud.store.children("deployment", worker_record.script(cloud, request)["id"])[::-1]
    return page(newest_first, request.query_params, under="deployments")


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/deployments/{id}."""
    for found in cloud.store.children("deployment", worker_record.script(cloud, request)["id"]):
        if found["id"] == request.path_params["id"]:
            return ok(found)
    raise Refusal(NOT_FOUND, _NO_SUCH_DEPLOYMENT, f"The deployment {request.path_params['id']} does not exist on this Worker.")


async def activate(cloud: Cloud, worker: Body, shares: list[Body], origin: Origin, annotations: object = None) -> Body:
    """Make a deployment of these versions and wait until they run; raises Refusal when they do not, and nothing changed."""
    former = cloud.store.last_child("deployment", worker["id"])
    deployment = _deployment(shares, origin, annotations)
    cloud.store.add("deployment", deployment["id"], deployment, parent=worker["id"])
    await _serve(cloud, worker, deployment, former, lambda: cloud.store.remove(deployment["id"]))
    return deployment


async def ship(cloud: Cloud, worker: Body, version: Body, origin: Origin, annotations: object = None) -> Body:
    """Store a judged version, a deployment that gives it all traffic, and its worker's record; give the version once it runs.

    Raises Refusal when it does not run, and nothing changed.
    """
    before = cloud.store.get("worker", worker["id"])
    former = cloud.store.last_child("deployment", worker["id"])
    with cloud.store.together():
        _store(cloud, before, worker)
        stored = keep(cloud, worker, version)
        deployment = _deployment(_whole(stored), origin, annotations)
        cloud.store.add("deployment", deployment["id"], deployment, parent=worker["id"])

    def undo() -> None:
        with cloud.store.together():
            for ident in (deployment["id"], stored["id"]):
                cloud.store.remove(ident)
            _store(cloud, worker, before)

    await _serve(cloud, worker, deployment, former, undo)
    drop_old(cloud, worker)
    return stored


def is_deployed(cloud: Cloud, worker: Body, version: Body) -> bool:
    """Tell whether a version has all the traffic."""
    deployment = cloud.store.last_child("deployment", worker["id"])
    return deployment is not None and deployment["versions"] == _whole(version)


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
    return [{"percentage": _WHOLE, "version_id": version["id"]}]


def _store(cloud: Cloud, present: Body | None, wanted: Body | None) -> None:
    """Put a worker's record in the place of another one, or of none."""
    if wanted is None:
        cloud.store.remove(present["id"] if present else "")
    elif present is None:
        cloud.store.add("worker", wanted["id"], wanted, name=wanted["name"])
    else:
        cloud.store.put(wanted["id"], wanted, name=wanted["name"])


async def _serve(cloud: Cloud, worker: Body, deployment: Body, former: Body | None, undo: Callable[[], None]) -> None:
    """Wait until a stored deployment runs; if it cannot, undo it and raise Refusal."""
    with cloud.propagating(worker["id"], deployment["id"], former):
        try:
            await cloud.workerd.apply()
        except NodeError as error:
            undo()
            cloud.workerd.touch()
            raise Refusal(500, INTERNAL, f"The deployment does not start: {error}") from error
    _forget_oldest(cloud, worker)


def _shares(cloud: Cloud, worker: Body, body: Body) -> list[Body]:
    shares = body.get("versions")
    if body.get("strategy", "percentage") != "percentage" or not isinstance(shares, list) or not 1 <= len(shares) <= _MOST_VERSIONS:
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A deployment has the strategy percentage and one or two versions")
    kept: list[Body] = [
        {"percentage": share.get("percentage"), "version_id": share.get("version_id")} for share in shares if isinstance(share, dict)
    ]
    known = {version["id"] for version in deployable(cloud, worker)}
    if any(share["version_id"] not in known for share in kept):
        what = "The requested Worker version could not be found, please check the ID being passed and try again."
        raise Refusal(NOT_FOUND, VERSION_NOT_FOUND, what)
    if len({share["version_id"] for share in kept}) != len(shares):
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A deployment names each version once")
    percentages = [share["percentage"] for share in kept]
    if not all(map(_is_percentage, percentages)) or sum(percentages) != _WHOLE:
        raise Refusal(BAD_REQUEST, BAD_WORKER, "The percentages of a deployment's versions must add up to 100")
    return kept


def _is_percentage(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _WHOLE


def _refuse_changed_secrets(cloud: Cloud, worker: Body, shares: list[Body]) -> None:
    """Refuse to take back a version that was active before, when a secret changed since (10220; the words are from wrangler's tests)."""
    earlier = cloud.store.children("deployment", worker["id"])
    now = worker_record.active(cloud.store, worker)
    been = {share["version_id"] for deployment in earlier for share in deployment["versions"]} - {version["id"] for version in now}
    for version in deployable(cloud, worker):
        if version["id"] in been & {share["version_id"] for share in shares}:
            changed = changed_secrets(version, max(now, key=lambda other: int(other["number"])))
            if changed:
                why = "If you are sure this is ok, add a ?force=true query parameter to allow the rollback."
                what = f"A secret has changed since this version was active. {why} The following secrets have changed: {', '.join(changed)}"
                raise Refusal(BAD_REQUEST, _SECRETS_CHANGED, what)


def _forget_oldest(cloud: Cloud, worker: Body) -> None:
    for old in cloud.store.children("deployment", worker["id"])[:-_KEPT]:
        cloud.store.remove(old["id"])


_SCRIPT = "/accounts/{a}/workers/scripts/{name}/deployments"
ROUTES: dict[str, Handler] = {f"POST {_SCRIPT}": create, f"GET {_SCRIPT}": listing, f"GET {_SCRIPT}/{{id}}": show}
