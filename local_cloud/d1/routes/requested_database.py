"""The database that a call names: its record, what this process knows of it, and its present state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.envelope import NO_SUCH_DATABASE, NOT_FOUND, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from local_cloud.cloud import Cloud
    from local_cloud.d1.history import State
    from local_cloud.d1.open_databases import OpenDatabase
    from local_cloud.store import Body


def database_of(cloud: Cloud, request: Request) -> Body:
    """Give the record of the database in the request's path; refuse an unknown one as Cloudflare does (404, 7404)."""
    uuid = request.path_params["id"]
    database = cloud.store.get("database", uuid)
    if database is None:
        raise Refusal(NOT_FOUND, NO_SUCH_DATABASE, f"The database {uuid} could not be found")
    return database


def opened_database(cloud: Cloud, request: Request) -> tuple[str, OpenDatabase]:
    """Give the id and the open database of the request's path; refuse an unknown one as ``database_of`` does."""
    database = database_of(cloud, request)
    return database["uuid"], cloud.open_databases.of(cloud.workerd.databases, database)


async def present(cloud: Cloud, uuid: str, opened: OpenDatabase) -> State:
    """Keep the present state and give it; creates the file of a database that was never used."""
    if not opened.history.live.exists():
        await cloud.workerd.query(uuid, [{"sql": "SELECT 1"}])
    return await opened.record(written=False)
