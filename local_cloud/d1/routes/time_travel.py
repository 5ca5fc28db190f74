"""Time Travel's routes: the bookmark of a state, and restoring a database to it, in place.

A restore waits for queries under way and holds back new ones. The id stays; schema and data go back; the state before the restore can be
restored in turn. It cannot clone a database.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler
from local_cloud.d1.open_databases import OpenDatabase
from local_cloud.d1.routes.requested_database import opened_database, present
from local_cloud.envelope import BAD_REQUEST, MALFORMED, Refusal, ok

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.d1.history import State

RESTORES, RESTORES_SECONDS = 10, 600.0
"""Documented: ten restores of a database in ten minutes."""
_TOO_MANY = 7429


async def bookmark(cloud: Cloud, request: Request) -> Response:
    """GET /d1/database/{id}/time_travel/bookmark: of the present state, or of that at ``?timestamp=`` (ISO 8601)."""
    uuid, opened = opened_database(cloud, request)
    async with opened.query():
        now = await present(cloud, uuid, opened)
    moment = request.query_params.get("timestamp")
    return ok({"bookmark": (now if moment is None else _at(opened, moment)).bookmark})


async def restore(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/time_travel/restore with ``?bookmark=`` or ``?timestamp=``."""
    uuid, opened = opened_database(cloud, request)
    opened.refuse_if_busy()
    async with opened.alone():
        before = await present(cloud, uuid, opened)
        state = _target(opened, request.query_params.get("bookmark"), request.query_params.get("timestamp"))
        _count(opened)
        async with opened.writing_history:
            after = await asyncio.to_thread(opened.history.restore, state)
    message = f"Database restored to bookmark {state.bookmark}"
    return ok({"bookmark": after.bookmark, "previous_bookmark": before.bookmark, "message": message})


def _target(opened: OpenDatabase, named: str | None, moment: str | None) -> State:
    if (named is None) == (moment is None):
        raise _refused("give one of bookmark and timestamp")
    if moment is not None:
        return _at(opened, moment)
    state = opened.history.find(str(named))
    if state is None:
        raise _refused(f"invalid bookmark: {named}")
    return state


def _at(opened: OpenDatabase, moment: str) -> State:
    try:
        when = datetime.fromisoformat(moment)
    except ValueError as error:
        raise _refused("invalid property: timestamp") from error
    state = opened.history.at(when if when.tzinfo else when.replace(tzinfo=UTC))
    if state is None:
        raise _refused(f"no bookmark at or before {moment}")
    return state


def _count(opened: OpenDatabase) -> None:
    now = time.monotonic()
    while opened.restores and opened.restores[0] < now - RESTORES_SECONDS:
        opened.restores.popleft()
    if len(opened.restores) >= RESTORES:
        raise Refusal(429, _TOO_MANY, "Too many restores of this database, try again later")
    opened.restores.append(now)


def _refused(what: str) -> Refusal:
    return Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: {what}")


_DATABASE = "/accounts/{a}/d1/database/{id}"
ROUTES: dict[str, Handler] = {f"GET {_DATABASE}/time_travel/bookmark": bookmark, f"POST {_DATABASE}/time_travel/restore": restore}
