"""D1's export: the client polls until it gets a signed address, which is valid for an hour.

The text is D1's own, with the tables in the order in which they were created; an import may fail in that order (workers-sdk 5683).
Virtual tables are refused, as in production; that the database then stays blocked (workers-sdk 9519) is not emulated.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.d1.routes.jobs import begin, failed, poll
from local_cloud.d1.routes.requested_database import opened_database
from local_cloud.d1.routes.signed_files import VALID_SECONDS, address
from local_cloud.envelope import BAD_REQUEST, MALFORMED, Refusal
from local_cloud.workerd.paths import forget_old, side_folder
from local_cloud.workerd.runtime import QueryError, QueryTimeoutError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_KEYS = {"no_schema", "no_data", "tables", "compatibility"}
_VIRTUAL = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"


async def export(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/export: begin one, or with ``current_bookmark`` poll one."""
    uuid, opened = opened_database(cloud, request)
    body = await body_of(request)
    if body.get("output_format") != "polling":
        raise _malformed("output_format")
    options = _options(body.get("dump_options") or {})
    if body.get("current_bookmark") is not None:
        return await poll(opened, "export", body["current_bookmark"])
    return await begin(cloud, uuid, opened, "export", lambda: _dump(cloud, request, uuid, options))


async def _dump(cloud: Cloud, request: Request, uuid: str, options: dict[str, Any]) -> Body:
    try:
        (virtual,) = await cloud.workerd.query(uuid, [{"sql": _VIRTUAL}])
        if any(not options["tables"] or name in options["tables"] for (name,) in virtual["results"]["rows"]):
            return failed("D1 Export error: cannot export databases with Virtual Tables (fts5)")
        lines = await cloud.workerd.dump(uuid, **options)
    except QueryError as error:
        return failed(str(error))
    except QueryTimeoutError:
        return failed("D1 reset before export completed!")
    folder = side_folder(cloud.workerd.databases, uuid, "exports")
    forget_old(folder, VALID_SECONDS)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{secrets.token_hex(16)}.sql"
    (folder / name).write_text("\n".join([*lines, ""]), "utf-8")
    url = address(cloud, request, "GET", f"/{uuid}/{name}")
    return {"status": "complete", "result": {"filename": name, "signed_url": url}}


def _options(given: object) -> dict[str, Any]:
    if not isinstance(given, dict) or given.keys() - _KEYS or given.get("compatibility") not in {None, "d1"}:
        raise _malformed("dump_options")
    tables = given.get("tables") or []
    if not isinstance(tables, list) or not all(isinstance(table, str) for table in tables):
        raise _malformed("dump_options.tables")
    return {"no_schema": bool(given.get("no_schema")), "no_data": bool(given.get("no_data")), "tables": tables}


def _malformed(name: str) -> Refusal:
    return Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: invalid property: {name}")


ROUTES: dict[str, Handler] = {"POST /accounts/{a}/d1/database/{id}/export": export}
