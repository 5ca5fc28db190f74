"""D1 databases. A change of name, location or jurisdiction is a replacement, which loses the data."""

from typing import Any

from local_cloud.provider.api import Api, account_path
from local_cloud.provider.json_values import seconds
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.resource import Resource
from local_cloud.provider.values import Properties


class D1Database(Resource):
    """``cloudflare.D1Database``. Undeclared properties are not in the outputs until the first refresh."""

    token = "cloudflare:index/d1Database:D1Database"  # noqa: S105
    required = ("accountId", "name")
    compared = ("accountId", "name", "readReplication")
    optional = ("jurisdiction", "primaryLocationHint")
    forces = frozenset(("accountId", "name", "jurisdiction", "primaryLocationHint"))
    outputs = ("createdAt", "fileSize", "id", "numTables", "uuid", "version")
    after_replace = ("createdAt", "fileSize", "numTables", "version")

    async def create(self, api: Api, planned: Properties) -> Properties:
        """POST it."""
        account = planned["accountId"]
        body = to_api({key: value for key, value in planned.items() if key != "accountId"})
        outputs = _outputs(account, await api.call("POST", account_path(account, "d1", "database"), body))
        return {**{key: value for key, value in outputs.items() if key != "readReplication"}, **planned}

    async def read(self, api: Api, state: Properties) -> Properties | None:
        """GET it by its id."""
        reply = await api.find(_path(state))
        kept = {key: state[key] for key in ("primaryLocationHint",) if key in state}
        return None if reply is None else {**kept, **_outputs(state["accountId"], reply)}

    async def update(self, api: Api, planned: Properties, prior: Properties) -> Properties:
        """PUT the read replication, the only property that can change."""
        replication = {key: planned[key] for key in ("readReplication",) if key in planned}
        outputs = _outputs(prior["accountId"], await api.call("PUT", _path(prior), to_api(replication)))
        return {**{key: value for key, value in outputs.items() if key != "readReplication"}, **planned}

    async def delete(self, api: Api, state: Properties) -> None:
        """DELETE it, with all its data."""
        await api.call("DELETE", _path(state))


def _path(state: Properties) -> str:
    return account_path(state["accountId"], "d1", "database", state["id"])


def _outputs(account: str, reply: dict[str, Any]) -> Properties:
    keys = (*D1Database.outputs, "name", "readReplication", "jurisdiction")
    properties = {key: value for key, value in from_api(reply).items() if key in keys}
    return {**properties, "accountId": account, "id": reply["uuid"], "createdAt": seconds(reply["created_at"])}
