"""The deployment routes: which versions of a script get its traffic, one or two, by percentage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, BAD_WORKER, NOT_FOUND, Refusal, ok, page
from local_cloud.workers import worker_record
from local_cloud.workers.bindings import changed_secrets
from local_cloud.workers.deploy import WHOLE, activate
from local_cloud.workers.routes.requests import flag, script_of, source
from local_cloud.workers.store_version import Origin
from local_cloud.workers.version_record import deployable, version_not_found

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_MOST_VERSIONS = 2
_SECRETS_CHANGED, _NO_SUCH_DEPLOYMENT = 10220, 10336


async def create(cloud: Cloud, request: Request) -> Response:
    """POST /workers/scripts/{name}/deployments; ``?force=true`` allows an earlier version although secrets changed since."""
    worker, body = script_of(cloud, request), await body_of(request)
    shares = _shares(cloud, worker, body)
    if not flag(request, "force"):
        _refuse_changed_secrets(cloud, worker, shares)
    return ok(await activate(cloud, worker, shares, Origin(source(request), "deployment"), body.get("annotations")))


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/deployments, newest first."""
    newest_first = cloud.store.children("deployment", script_of(cloud, request)["id"])[::-1]
    return page(newest_first, request.query_params, under="deployments")


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/deployments/{id}."""
    for deployment in cloud.store.children("deployment", script_of(cloud, request)["id"]):
        if deployment["id"] == request.path_params["id"]:
            return ok(deployment)
    raise Refusal(NOT_FOUND, _NO_SUCH_DEPLOYMENT, f"The deployment {request.path_params['id']} does not exist on this Worker.")


def _shares(cloud: Cloud, worker: Body, body: Body) -> list[Body]:
    shares = body.get("versions")
    if body.get("strategy", "percentage") != "percentage" or not isinstance(shares, list) or not 1 <= len(shares) <= _MOST_VERSIONS:
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A deployment has the strategy percentage and one or two versions")
    named: list[Body] = [
        {"percentage": share.get("percentage"), "version_id": share.get("version_id")} for share in shares if isinstance(share, dict)
    ]
    known = {version["id"] for version in deployable(cloud, worker)}
    if any(share["version_id"] not in known for share in named):
        raise version_not_found()
    if len({share["version_id"] for share in named}) != len(shares):
        raise Refusal(BAD_REQUEST, BAD_WORKER, "A deployment names each version once")
    percentages = [share["percentage"] for share in named]
    if not all(map(_is_percentage, percentages)) or sum(percentages) != WHOLE:
        raise Refusal(BAD_REQUEST, BAD_WORKER, "The percentages of a deployment's versions must add up to 100")
    return named


def _is_percentage(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= WHOLE


def _refuse_changed_secrets(cloud: Cloud, worker: Body, shares: list[Body]) -> None:
    """Refuse to deploy a version again that was active before, when a secret changed since (10220; the text is from wrangler's tests)."""
    earlier = cloud.store.children("deployment", worker["id"])
    now = worker_record.active(cloud.store, worker)
    earlier_ids = {share["version_id"] for deployment in earlier for share in deployment["versions"]} - {version["id"] for version in now}
    for version in deployable(cloud, worker):
        if version["id"] in earlier_ids & {share["version_id"] for share in shares}:
            changed = changed_secrets(version, max(now, key=lambda other: int(other["number"])))
            if changed:
                why = "If you are sure this is ok, add a ?force=true query parameter to allow the rollback."
                what = f"A secret has changed since this version was active. {why} The following secrets have changed: {', '.join(changed)}"
                raise Refusal(BAD_REQUEST, _SECRETS_CHANGED, what)


_SCRIPT = "/accounts/{a}/workers/scripts/{name}/deployments"
ROUTES: dict[str, Handler] = {f"POST {_SCRIPT}": create, f"GET {_SCRIPT}": listing, f"GET {_SCRIPT}/{{id}}": show}
