"""Cron triggers: one list for all versions of a script. They are stored, not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.envelope import BAD_REQUEST, Refusal, ok
from local_cloud.workers.routes.requests import script_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_BAD_CRON, _CRON_FIELDS = 10100, 5


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /workers/scripts/{name}/schedules."""
    return ok({"schedules": _kept(cloud, script_of(cloud, request))})


async def replace(cloud: Cloud, request: Request) -> Response:
    """PUT /workers/scripts/{name}/schedules: replace the whole list, also before a first deployment."""
    worker, declared = script_of(cloud, request), await body_of(request, list)
    crons = [entry.get("cron") if isinstance(entry, dict) else None for entry in declared]
    for cron in crons:
        if not isinstance(cron, str) or len(cron.split()) != _CRON_FIELDS:
            raise Refusal(BAD_REQUEST, _BAD_CRON, f"invalid cron string: {cron}")
    now, before = stamp(), {entry["cron"]: entry for entry in _kept(cloud, worker)}
    entries = [before.get(cron, {"cron": cron, "created_on": now, "modified_on": now}) for cron in crons]
    ident = f"{worker['id']}/schedules"
    with cloud.store.together():
        cloud.store.remove(ident)
        cloud.store.add("schedules", ident, {"schedules": entries}, parent=worker["id"])
    return ok({"schedules": entries})


def _kept(cloud: Cloud, worker: Body) -> list[Body]:
    record = cloud.store.last_child("schedules", worker["id"])
    return list(record["schedules"]) if record else []


_SCHEDULES = "/accounts/{a}/workers/scripts/{name}/schedules"
ROUTES: dict[str, Handler] = {f"GET {_SCHEDULES}": show, f"PUT {_SCHEDULES}": replace}
