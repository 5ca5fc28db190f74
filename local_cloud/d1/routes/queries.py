"""D1's routes for SQL: ``/query`` and ``/raw``. One request is one transaction, unless ``Behaviour.atomic_batches`` is off.

Whether the token may write and the database is free is decided before anything runs. The log gets each statement once it is committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.d1.open_databases import OpenDatabase
from local_cloud.d1.query_body import BoundStatement, statements_of
from local_cloud.d1.read_only import refuse_writes
from local_cloud.d1.routes.requested_database import opened_database, present
from local_cloud.envelope import BAD_REQUEST, SQL_ERROR, Refusal, ok
from local_cloud.tokens import Permission, may
from local_cloud.workerd.runtime import QueryError, QueryTimeoutError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

TIMED_OUT = 7429
_TIMED_OUT_TEXT = "D1 DB storage operation exceeded timeout which caused object to be reset."


async def query(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/query: rows as objects."""
    results = await _run(cloud, request)
    return ok([{**result, "results": _objects(result["results"])} for result in results])


async def raw(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/raw: columns and rows."""
    return ok(await _run(cloud, request))


def meta(runtime: Body) -> Body:
    """Give a result's ``meta`` as production gives it, from the runtime's own (field names: the SDK's ``QueryResult``)."""
    changed = bool(runtime["changed_db"] or runtime["rows_written"])
    served = {"served_by": "v3-prod", "served_by_region": "WEUR", "served_by_colo": "AMS", "served_by_primary": True}
    return {**runtime, **served, "changed_db": changed, "timings": {"sql_duration_ms": runtime["duration"]}, "total_attempts": 1}


async def _run(cloud: Cloud, request: Request) -> list[Body]:
    uuid, opened = opened_database(cloud, request)
    statements = statements_of(await body_of(request), cloud.behaviour)
    async with opened.query():
        if not may(request, Permission.D1_WRITE):
            await refuse_writes(cloud, uuid, statements)
            return await _transaction(cloud, uuid, opened, statements)
        if not opened.knows_present:
            await present(cloud, uuid, opened)
        if cloud.behaviour.atomic_batches:
            return await _transaction(cloud, uuid, opened, statements)
        return [result for statement in statements for result in await _transaction(cloud, uuid, opened, [statement])]


async def _transaction(cloud: Cloud, uuid: str, opened: OpenDatabase, statements: list[BoundStatement]) -> list[Body]:
    queries = [statement._asdict() for statement in statements]
    try:
        results = await cloud.workerd.query(uuid, queries, cloud.behaviour.query_seconds)
    except QueryError as error:
        raise Refusal(BAD_REQUEST, SQL_ERROR, str(error)) from error
    except QueryTimeoutError as error:
        raise Refusal(429, TIMED_OUT, _TIMED_OUT_TEXT) from error
    for statement in statements:
        cloud.log.executed(uuid, statement.sql)
    replies = [{"results": result["results"], "success": True, "meta": meta(result["meta"])} for result in results]
    if any(reply["meta"]["changed_db"] for reply in replies):
        opened.wrote()
    return replies


def _objects(results: Body) -> list[Body]:
    return [dict(zip(results["columns"], row, strict=True)) for row in results["rows"]]


_DATABASE = "/accounts/{a}/d1/database/{id}"
ROUTES: dict[str, Handler] = {f"POST {_DATABASE}/query": query, f"POST {_DATABASE}/raw": raw}
