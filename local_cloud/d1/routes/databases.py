"""D1's routes for databases themselves: create, list, show, change and delete. They run no SQL of the caller."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local_cloud.clock import stamp
from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.d1.file_shape import COUNT_TABLES
from local_cloud.d1.routes.requested_database import database_of
from local_cloud.envelope import BAD_REQUEST, MALFORMED, NAME_TAKEN, NO_SUCH_DATABASE, NOT_FOUND, Refusal, ok, page
from local_cloud.ids import new_uuid
from local_cloud.store import NameTakenError
from local_cloud.workerd.paths import remove_database

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_EMPTY_FILE = 12288
_REGIONS = {"wnam", "enam", "weur", "eeur", "apac", "oc"}
_JURISDICTIONS = {"eu", "fedramp", "us"}


async def create(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database."""
    body = await body_of(request)
    name = body.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise _invalid("name")
    uuid = new_uuid()
    database = {
        "uuid": uuid,
        "name": name,
        "version": "production",
        "created_at": stamp(),
        "running_in_region": _one_of(body, "primary_location_hint", _REGIONS, "weur").upper(),
        "jurisdiction": _one_of(body, "jurisdiction", _JURISDICTIONS, "") or None,
        "read_replication": _replication(body) or {"mode": "disabled"},
    }
    try:
        cloud.store.add("database", uuid, database, name=name)
    except NameTakenError as error:
        raise Refusal(BAD_REQUEST, NAME_TAKEN, f"Database with name '{name}' already exists") from error
    return ok({**database, "num_tables": 0, "file_size": _EMPTY_FILE})


async def listing(cloud: Cloud, request: Request) -> Response:
    """GET /d1/database, filtered by ``?name=``."""
    name = request.query_params.get("name")
    shown = ("uuid", "name", "version", "created_at", "jurisdiction")
    databases = [database for database in cloud.store.all("database") if name in {None, database["name"]}]
    return page([{key: database[key] for key in shown} for database in databases], request.query_params)


async def show(cloud: Cloud, request: Request) -> Response:
    """GET /d1/database/{id}: by id, or by name as wrangler 4.156 asks; ``?fields=`` selects the keys of the reply."""
    id_or_name = request.path_params["id"]
    database = cloud.store.get("database", id_or_name) or cloud.store.named("database", id_or_name)
    if database is None:
        raise Refusal(NOT_FOUND, NO_SUCH_DATABASE, f"The database {id_or_name} could not be found")
    described = await _described(cloud, database)
    fields = request.query_params.get("fields")
    return ok(described if fields is None else {key: value for key, value in described.items() if key in fields.split(",")})


async def change(cloud: Cloud, request: Request) -> Response:
    """PATCH and PUT /d1/database/{id}: only read replication can be changed, and a PUT must name it."""
    database = database_of(cloud, request)
    replication = _replication(await body_of(request))
    if replication is None and request.method == "PUT":
        raise _invalid("read_replication")
    database["read_replication"] = replication or database["read_replication"]
    cloud.store.put(database["uuid"], database, name=database["name"])
    return ok(await _described(cloud, database))


async def delete(cloud: Cloud, request: Request) -> Response:
    """DELETE /d1/database/{id}: waits for queries under way."""
    database = database_of(cloud, request)
    uuid, opened = database["uuid"], cloud.open_databases.of(cloud.workerd.databases, database)
    async with opened.alone():
        cloud.store.remove(uuid)
        opened.is_gone = True
        if opened.history.live.exists():
            await cloud.workerd.restart()
        cloud.workerd.touch()
        remove_database(cloud.workerd.databases, uuid)
    cloud.open_databases.forget(uuid)
    return ok(None)


async def _described(cloud: Cloud, database: Body) -> Body:
    (shape,) = await cloud.workerd.query(database["uuid"], [{"sql": COUNT_TABLES}])
    size = max(_EMPTY_FILE, shape["meta"]["size_after"])
    return {**database, "num_tables": shape["results"]["rows"][0][0], "file_size": size}


def _replication(body: Body) -> Body | None:
    given = body.get("read_replication")
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("mode") not in {"auto", "disabled"}:
        raise _invalid("read_replication")
    return {"mode": given["mode"]}


def _one_of(body: Body, name: str, allowed: set[str], default: str) -> str:
    given = body.get(name)
    if given is None:
        return default
    if given not in allowed:
        raise _invalid(name)
    return str(given)


def _invalid(name: str) -> Refusal:
    return Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: invalid property: {name}")


_DATABASE = "/accounts/{a}/d1/database"
ROUTES: dict[str, Handler] = {
    f"POST {_DATABASE}": create,
    f"GET {_DATABASE}": listing,
    f"GET {_DATABASE}/{{id}}": show,
    f"PATCH {_DATABASE}/{{id}}": change,
    f"PUT {_DATABASE}/{{id}}": change,
    f"DELETE {_DATABASE}/{{id}}": delete,
}
