"""Workers: the script-level settings. Undeclared settings are reset to their defaults, except those of logs and destinations."""

from typing import Any

from local_cloud.provider.api import Api, account_path
from local_cloud.provider.json_values import as_set, completed, seconds
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.resource import Resource
from local_cloud.provider.values import Properties

_TRACES: Properties = {"enabled": False, "headSamplingRate": 1, "persist": True}
_LOGS: Properties = {**_TRACES, "invocationLogs": True}
_OBSERVABILITY: Properties = {
    "enabled": False,
    "headSamplingRate": 1,
    "logs": {**_LOGS, "destinations": []},
    "traces": {**_TRACES, "destinations": []},
}
_SETTINGS = ("logpush", "name", "observability", "subdomain", "tags", "tailConsumers")


class Worker(Resource):
    """``cloudflare.Worker``. A new name is an update; only another account replaces it."""

    token = "cloudflare:index/worker:Worker"  # noqa: S105
    required = ("accountId", "name")
    compared = ("accountId", *_SETTINGS)
    forces = frozenset(("accountId",))
    outputs = ("createdOn", "id", "references", "updatedOn")
    after_update = ("references", "updatedOn")
    after_replace = ("createdOn", "references", "updatedOn")

    def planned(self, inputs: Properties, prior: Properties) -> Properties:
        """Defaults for everything, except that undeclared logs and destinations keep their values. Sets are sorted."""
        return {
            "logpush": False,
            **inputs,
            "tags": as_set(inputs.get("tags", [])),
            "tailConsumers": as_set(inputs.get("tailConsumers", [])),
            "observability": _observability(inputs.get("observability", {}), prior.get("observability", {})),
            "subdomain": _subdomain(inputs.get("subdomain", {})),
        }

    def comparable(self, key: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
        """The order of tags and of tail consumers does not matter."""
        return as_set(value) if key in ("tags", "tailConsumers") else value

    async def create(self, api: Api, planned: Properties) -> Properties:
        """POST the settings."""
        account = planned["accountId"]
        reply = await api.call("POST", account_path(account, "workers", "workers"), _body(planned))
        return completed(_settings(planned), _outputs(account, reply))  # type: ignore[no-any-return]

    async def read(self, api: Api, state: Properties) -> Properties | None:
        """GET it by its id, or by its name."""
        reply = await api.find(_path(state))
        return None if reply is None else _outputs(state["accountId"], reply)

    async def update(self, api: Api, planned: Properties, prior: Properties) -> Properties:
        """PUT all settings."""
        reply = await api.call("PUT", _path(prior), _body(planned))
        return completed(_settings(planned), _outputs(prior["accountId"], reply))  # type: ignore[no-any-return]

    async def delete(self, api: Api, state: Properties) -> None:
        """DELETE it, with its versions, deployments and schedules."""
        await api.call("DELETE", _path(state))


def _subdomain(declared: Any) -> Any:  # noqa: ANN401 (JSON)
    """Both switches. Previews are on where the subdomain is, if they are not declared."""
    if not isinstance(declared, dict):
        return declared
    enabled = declared.get("enabled", False)
    return {"enabled": False, "previewsEnabled": enabled is True, **declared}


def _observability(declared: Any, prior: Properties) -> Any:  # noqa: ANN401 (JSON)
    if not isinstance(declared, dict):
        return declared
    settings = {"enabled": False, "headSamplingRate": 1, **declared}
    settings["traces"] = _stream(_TRACES, declared.get("traces", {}), prior.get("traces", {}))
    if "logs" in declared:
        settings["logs"] = _stream(_LOGS, declared["logs"], prior.get("logs", {}))
    elif "logs" in prior:
        settings["logs"] = prior["logs"]
    return settings


def _stream(defaults: Properties, declared: Any, prior: Properties) -> Any:  # noqa: ANN401 (JSON)
    """The settings of logs or traces. Destinations have no default and keep their value."""
    if not isinstance(declared, dict):
        return declared
    kept = {key: prior[key] for key in ("destinations",) if key in prior}
    return {**kept, **defaults, **declared}


def _known(fields: Properties, replied: Any) -> Any:  # noqa: ANN401 (JSON)
    """A reply without the fields that the official provider does not know, which never reach its state."""
    if not isinstance(replied, dict):
        return replied
    return {key: _known(fields[key], value) if isinstance(fields[key], dict) else value for key, value in replied.items() if key in fields}


def _body(planned: Properties) -> Any:  # noqa: ANN401 (JSON)
    return to_api(_settings(planned))


def _settings(planned: Properties) -> Properties:
    return {key: planned[key] for key in _SETTINGS if key in planned}


def _path(state: Properties) -> str:
    return account_path(state["accountId"], "workers", "workers", state["id"])


def _outputs(account: str, reply: dict[str, Any]) -> Properties:
    keys = (*Worker.outputs, *_SETTINGS, "deployedOn")
    properties = {key: value for key, value in from_api(reply).items() if key in keys}
    if "observability" in properties:
        properties["observability"] = _known(_OBSERVABILITY, properties["observability"])
    times = {key: seconds(properties[key]) for key in ("createdOn", "updatedOn", "deployedOn") if key in properties}
    return {**properties, **times, "accountId": account}
