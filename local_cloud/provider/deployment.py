"""Deployments: which versions of a script get traffic. Every change is a new deployment; deleting one makes no call.

A deployment is read by its own id, as the official provider does, so a later deployment by another client stays unnoticed.
"""

from typing import Any

from local_cloud.provider.api import Api, account_path
from local_cloud.provider.json_values import seconds, without
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.resource import Resource
from local_cloud.provider.values import Properties


class WorkersDeployment(Resource):
    """``cloudflare.WorkersDeployment``."""

    token = "cloudflare:index/workersDeployment:WorkersDeployment"  # noqa: S105
    required = ("accountId", "scriptName", "strategy", "versions")
    compared = ("accountId", "annotations", "scriptName", "strategy", "versions")
    forces = frozenset(compared)
    outputs = ("authorEmail", "createdOn", "id", "source")
    after_replace = ("annotations", "authorEmail", "createdOn", "source")
    import_parts = ("accountId", "scriptName", "id")

    def comparable(self, key: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
        """Without what the API adds."""
        return without(value, "workersTriggeredBy") if key == "annotations" else value

    async def create(self, api: Api, planned: Properties) -> Properties:
        """POST it: the traffic moves at once."""
        sent = {key: value for key, value in planned.items() if key not in ("accountId", "scriptName")}
        return _outputs(planned, await api.call("POST", _path(planned), to_api(sent)))

    async def read(self, api: Api, state: Properties) -> Properties | None:
        """GET it by its own id."""
        reply = await api.find(_path(state, state["id"]))
        return None if reply is None else _outputs(state, reply)


def _path(state: Properties, *deployment: str) -> str:
    return account_path(state["accountId"], "workers", "scripts", state["scriptName"], "deployments", *deployment)


def _outputs(place: Properties, reply: dict[str, Any]) -> Properties:
    keys = (*WorkersDeployment.outputs, "annotations", "strategy", "versions")
    properties = {key: value for key, value in from_api(reply).items() if key in keys}
    versions = [{"percentage": version["percentage"], "versionId": version["versionId"]} for version in properties["versions"]]
    known = {"accountId": place["accountId"], "scriptName": place["scriptName"], "createdOn": seconds(reply["created_on"])}
    return {**properties, **known, "versions": versions}
