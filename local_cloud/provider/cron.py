"""Cron triggers: the schedules of a script, one list for all versions. Deleting them makes no call."""

from typing import Any

from local_cloud.provider.api import Api, account_path
from local_cloud.provider.json_values import without
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.resource import Resource
from local_cloud.provider.values import Properties


class WorkersCronTrigger(Resource):
    """``cloudflare.WorkersCronTrigger``. Its id is the name of the script. The order of the schedules matters."""

    token = "cloudflare:index/workersCronTrigger:WorkersCronTrigger"  # noqa: S105
    required = ("accountId", "schedules", "scriptName")
    compared = ("accountId", "schedules", "scriptName")
    forces = frozenset(("accountId", "scriptName"))
    outputs = ("id",)
    after_replace = ("schedules",)
    import_parts = ("accountId", "scriptName")
    creation_warning = "Deleting this resource does not delete its schedules: they stay at Cloudflare until somebody deletes them there"

    def comparable(self, key: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
        """The schedules without their times."""
        return without(value, "createdOn", "modifiedOn") if key == "schedules" else value

    async def create(self, api: Api, planned: Properties) -> Properties:
        """PUT all schedules."""
        sent = to_api(without(planned["schedules"], "createdOn", "modifiedOn"))
        return _outputs(planned, await api.call("PUT", _path(planned), sent))

    async def read(self, api: Api, state: Properties) -> Properties | None:
        """GET the schedules of the script."""
        reply = await api.find(_path(state))
        return None if reply is None else _outputs(state, reply)

    async def update(self, api: Api, planned: Properties, prior: Properties) -> Properties:
        """PUT all schedules."""
        return await self.create(api, {**planned, "accountId": prior["accountId"]})


def _path(state: Properties) -> str:
    return account_path(state["accountId"], "workers", "scripts", state["scriptName"], "schedules")


def _outputs(place: Properties, reply: dict[str, Any]) -> Properties:
    schedules = [{key: cron[key] for key in ("createdOn", "cron", "modifiedOn") if key in cron} for cron in from_api(reply)["schedules"]]
    script = place["scriptName"]
    return {"accountId": place["accountId"], "id": script, "scriptName": script, "schedules": schedules}
