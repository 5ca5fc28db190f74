"""D1's import: ``init`` gives an address, the client uploads the file there, ``ingest`` runs it, ``poll`` gives its status.

A file is one transaction: it takes effect as a whole or not at all, whatever is killed. It is split exactly, without the faults of
``/query``. BEGIN and COMMIT are refused with D1's texts. A large file does not fit into a request to workerd: SQLite runs it on this machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from local_cloud.cloud import Cloud, Handler, body_of
from local_cloud.d1.large_import import LARGE, LargeImportError, import_large
from local_cloud.d1.open_databases import OpenDatabase
from local_cloud.d1.query_body import refuse_foreign
from local_cloud.d1.routes.jobs import begin, failed, no_job, poll
from local_cloud.d1.routes.queries import meta
from local_cloud.d1.routes.requested_database import opened_database
from local_cloud.d1.routes.signed_files import VALID_SECONDS, address
from local_cloud.d1.split_sql import split
from local_cloud.envelope import BAD_REQUEST, MALFORMED, Refusal, ok
from local_cloud.workerd.paths import database_file, forget_old, side_folder
from local_cloud.workerd.runtime import QueryError, QueryTimeoutError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.store import Body

_IMPORT_SECONDS = 900.0


async def import_(cloud: Cloud, request: Request) -> Response:
    """POST /d1/database/{id}/import: ``action`` is init, ingest or poll."""
    uuid, opened = opened_database(cloud, request)
    body = await body_of(request)
    match body.get("action"):
        case "init":
            return await _init(cloud, request, uuid, opened, _etag(body))
        case "ingest":
            return await _ingest(cloud, uuid, opened, _etag(body), str(body.get("filename")))
        case "poll":
            return await poll(opened, "import", body.get("current_bookmark"))
    raise _malformed("action")


async def _init(cloud: Cloud, request: Request, uuid: str, opened: OpenDatabase, etag: str) -> Response:
    folder = side_folder(cloud.workerd.databases, uuid, "imports")
    forget_old(folder, VALID_SECONDS)
    name = f"{uuid}.{etag}.sql"
    if await _holds(folder / name, etag):
        return await _ingest(cloud, uuid, opened, etag, name)
    url = address(cloud, request, "PUT", f"/{uuid}/{name}")
    return ok({"success": True, "type": "import", "filename": name, "upload_url": url, "messages": []})


async def _ingest(cloud: Cloud, uuid: str, opened: OpenDatabase, etag: str, name: str) -> Response:
    file = side_folder(cloud.workerd.databases, uuid, "imports") / Path(name).name
    if name != f"{uuid}.{etag}.sql" or not file.is_file():
        return no_job("import", f"File not found: {name}")
    if not await _holds(file, etag):
        return no_job("import", "The etag does not match the uploaded file")
    return await begin(cloud, uuid, opened, "import", lambda: _apply(cloud, uuid, opened, file))


async def _apply(cloud: Cloud, uuid: str, opened: OpenDatabase, file: Path) -> Body:
    if file.stat().st_size > LARGE:  # noqa: ASYNC240 - one quick call
        return await _apply_large(cloud, uuid, opened, file)
    try:
        statements = await asyncio.to_thread(lambda: split(file.read_bytes().decode()))
        for statement in statements:
            refuse_foreign(statement)
        queries = [{"sql": statement} for statement in statements]
        results = await cloud.workerd.query(uuid, queries, _IMPORT_SECONDS)
    except QueryError as error:
        return failed(str(error))
    except UnicodeDecodeError:
        return failed("The file is not UTF-8 text")
    except QueryTimeoutError:
        return failed("D1 reset before import completed!")
    for statement in statements:
        cloud.log.executed(uuid, statement)
    metas = [result["meta"] for result in results]
    return await _complete(opened, len(metas), _total(metas))


async def _apply_large(cloud: Cloud, uuid: str, opened: OpenDatabase, file: Path) -> Body:
    await cloud.workerd.query(uuid, [{"sql": "SELECT 1"}])  # it makes the file of a new database
    stopped = threading.Event()
    try:
        done = await asyncio.to_thread(import_large, database_file(cloud.workerd.databases, uuid), file, stopped)
    except LargeImportError as error:
        return failed(str(error))
    finally:
        stopped.set()
    for digest in done.digests:
        cloud.log.executed_digest(uuid, digest)
    return await _complete(opened, len(done.digests), meta(done.meta))


async def _complete(opened: OpenDatabase, statements: int, total: Body) -> Body:
    state = await opened.record(written=True)
    return {"status": "complete", "result": {"final_bookmark": state.bookmark, "num_queries": statements, "meta": total}}


def _total(metas: list[Body]) -> Body:
    sums = {name: sum(result_meta[name] for result_meta in metas) for name in ("duration", "changes", "rows_read", "rows_written")}
    return meta({**metas[-1], **sums, "changed_db": any(result_meta["changed_db"] for result_meta in metas)})


async def _holds(file: Path, etag: str) -> bool:
    """Whether the uploaded file exists and has this md5."""

    def holds() -> bool:
        if not file.is_file():
            return False
        with file.open("rb") as content:
            return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == etag

    return await asyncio.to_thread(holds)


def _etag(body: Body) -> str:
    etag = body.get("etag")
    if not isinstance(etag, str) or not re.fullmatch(r"[0-9a-f]{32}", etag):
        raise _malformed("etag")
    return etag


def _malformed(name: str) -> Refusal:
    return Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: invalid property: {name}")


ROUTES: dict[str, Handler] = {"POST /accounts/{a}/d1/database/{id}/import": import_}
