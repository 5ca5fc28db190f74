"""Which database a call is about: its record, its room, its present state. Prevents a call on a database that does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.envelope import NO_SUCH_DATABASE, NOT_FOUND, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from local_cloud.cloud import Cloud
    from local_cloud.d1.history import State
    from local_cloud.d1.open_databases import Room
    from local_cloud.store import Body


def database_of(cloud: Cloud, request: Request) -> Body:
    """Give the record of the database in the request's path; refuse an unknown one as Cloudflare does (404, 7404)."""
    uuid = request.path_params["id"]
    found = cloud.store.get("database", uuid)
    if found is None:
        raise Refusal(NOT_FOUND, NO_SUCH_DATABASE, f"The database {uuid} could not be found")
    return found


def room_of(cloud: Cloud, request: Request) -> tuple[str, Room]:
    """Give id and room of the database in the request's path."""
    database = database_of(cloud, request)
    return database["uuid"], cloud.rooms.of(cloud.workerd.databases, database)


async def present(cloud: Cloud, uuid: str, room: Room) -> State:
    """Give the present state, kept; makes the file of a database that was never used."""
    if not room.history.live.exists():
        await cloud.workerd.query(uuid, [{"sql": "SELECT 1"}])
    return await room.record(written=False)
