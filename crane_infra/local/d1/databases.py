"""D1's routes: databases and their queries. One request is one transaction, as the documentation says of production."""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from typing import TYPE_CHECKING, Any

from crane_infra.local.cloud import Cloud, Handler, body_of, stamp
from crane_infra.local.d1.sql import split
from crane_infra.local.envelope import BAD_REQUEST, MALFORMED, NAME_TAKEN, NO_SUCH_DATABASE, NOT_FOUND, SQL_ERROR, Refusal, ok, page
from crane_infra.local.ids import new_uuid
from crane_infra.local.store import NameTakenError
from crane_infra.local.workerd.files import remove_database
from crane_infra.local.workerd.runtime import QueryError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.store import Body

_EMPTY_FILE = 12288
_SHAPE = """SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"""
_COUNTER = itertools.count()


async def create(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database."""
    body = await body_of(request)
    name = body.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: invalid property: name")
    database = {
        "uuid": new_uuid(),
        "name": name,
        "version": "production",
        "created_at": stamp(),
        "running_in_region": "WEUR",
        "jurisdiction": body.get("jurisdiction"),
        "read_replication": body.get("read_replication") or {"mode": "disabled"},
    }
    try:
        cloud.store.add("database", database["uuid"], database, name=name)
    except NameTakenError as error:
        raise Refusal(BAD_REQUEST, NAME_TAKEN, f"Database with name '{name}' already exists") from error
    cloud.workerd.touch()
    return ok({**database, "num_tables": 0, "file_size": _EMPTY_FILE})


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /d1/database, filtered by ``?name=``."""
    name = request.query_params.get("name")
    kept = ("uuid", "name", "version", "created_at", "jurisdiction")
    found = [database for database in cloud.store.all("database") if name in {None, database["name"]}]
    return page([{key: database[key] for key in kept} for database in found], request.query_params)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /d1/database/{id}."""
    return ok(await _described(cloud, _database(cloud, request)))


async def change(cloud: Cloud, request: Request) -> Response:
    """PATCH and PUT /d1/database/{id}: read replication is all that can be changed."""
    database = _database(cloud, request)
    body = await body_of(request)
    database["read_replication"] = body.get("read_replication") or database["read_replication"]
    cloud.store.put(database["uuid"], database, name=database["name"])
    return ok(await _described(cloud, database))


async def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE /d1/database/{id}."""
    database = _database(cloud, request)
    cloud.store.remove(database["uuid"])
    cloud.workerd.touch()
    await cloud.workerd.apply()
    remove_database(cloud.workerd.databases, database["uuid"])
    return ok(None)


async def query(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/query: rows as objects."""
    results = await _run(cloud, request)
    return ok([{**result, "results": _objects(result["results"])} for result in results])


async def raw(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/raw: columns and rows."""
    return ok(await _run(cloud, request))


async def bookmark(cloud: Cloud, request: Request) -> Response:
    """GET /d1/database/{id}/time_travel/bookmark: a later call gives a greater one. Nothing can be restored to it yet."""
    uuid = _database(cloud, request)["uuid"]
    seconds, nanos = divmod(time.time_ns(), 10**9)
    tail = hashlib.md5(uuid.encode(), usedforsecurity=False).hexdigest()
    return ok({"bookmark": f"{seconds:08x}-{nanos:08x}-{next(_COUNTER):08x}-{tail}"})


def _database(cloud: Cloud, request: Request) -> Body:
    uuid = request.path_params["id"]
    found = cloud.store.get("database", uuid)
    if found is None:
        raise Refusal(NOT_FOUND, NO_SUCH_DATABASE, f"The database {uuid} could not be found")
    return found


async def _described(cloud: Cloud, database: Body) -> Body:
    (shape,) = await cloud.workerd.query(database["uuid"], [{"sql": _SHAPE}])
    size = max(_EMPTY_FILE, shape["meta"]["size_after"])
    return {**database, "num_tables": shape["results"]["rows"][0][0], "file_size": size}


async def _run(cloud: Cloud, request: Request) -> list[Body]:
    database = _database(cloud, request)
    statements = _statements(await body_of(request))
    try:
        results = await cloud.workerd.query(database["uuid"], statements)
    except QueryError as error:
        raise Refusal(BAD_REQUEST, SQL_ERROR, str(error)) from error
    return [{"results": result["results"], "success": True, "meta": _meta(result["meta"])} for result in results]


def _statements(body: Body) -> list[Body]:
    wanted = body.get("batch", [body])
    if not isinstance(wanted, list) or not all(isinstance(one, dict) and isinstance(one.get("sql"), str) for one in wanted):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: Error: sql is required")
    statements = [statement for one in wanted for statement in _split(one["sql"], _params(one.get("params")))]
    if not statements:
        raise Refusal(BAD_REQUEST, SQL_ERROR, "No SQL statements detected.")
    return statements


def _split(sql: str, params: list[Any]) -> list[Body]:
    parts = split(sql)
    if params and len(parts) > 1:
        raise Refusal(BAD_REQUEST, SQL_ERROR, "Wrong number of parameter bindings for SQL query.: SQLITE_ERROR")
    return [{"sql": part, "params": params} for part in parts]


def _params(given: object) -> list[Any]:
    params = [] if given is None else given
    if not isinstance(params, list) or not all(isinstance(value, str | int | float | None) for value in params):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: params must be a list of strings, numbers and nulls")
    return [int(value) if isinstance(value, bool) else value for value in params]


def _meta(meta: Body) -> Body:
    timings = {"sql_duration_ms": meta["duration"]}
    return {**meta, "served_by_region": "WEUR", "served_by_primary": True, "timings": timings}


def _objects(results: Body) -> list[Body]:
    return [dict(zip(results["columns"], row, strict=True)) for row in results["rows"]]


_DATABASE = "/accounts/{a}/d1/database"
ROUTES: dict[str, Handler] = {
    f"POST {_DATABASE}": create,
    f"GET {_DATABASE}": listing,
    f"GET {_DATABASE}/{{id}}": show,
    f"PATCH {_DATABASE}/{{id}}": change,
    f"PUT {_DATABASE}/{{id}}": change,
    f"DELETE {_DATABASE}/{{id}}": delete,
    f"POST {_DATABASE}/{{id}}/query": query,
    f"POST {_DATABASE}/{{id}}/raw": raw,
    f"GET {_DATABASE}/{{id}}/time_travel/bookmark": bookmark,
}
