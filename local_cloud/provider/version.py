"""Versions of a worker: code, bindings and annotations. A version never changes, so almost every change is a replacement.

The order of the bindings in the program matters: another one is a replacement too. The API does not return secrets, so a refresh keeps
those of the state. Deleting a version makes no call.
"""

from pathlib import Path
from typing import Any

from local_cloud.provider import bindings, modules
from local_cloud.provider.api import Api, account_path
from local_cloud.provider.assets import manifest_digest, manifest_of, upload
from local_cloud.provider.json_values import as_set, completed, seconds, without
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.resource import Resource
from local_cloud.provider.values import Properties

# What the API chooses if it is not declared: removing it is a change, but no reason for a replacement of its own.
_CHOSEN = frozenset(("annotations", "limits"))


class WorkerVersion(Resource):
    """``cloudflare.WorkerVersion``. A replacement always lists the bindings, if there are any, changed or not."""

    token = "cloudflare:index/workerVersion:WorkerVersion"  # noqa: S105
    required = ("accountId", "workerId")
    compared = (
        "accountId",
        "annotations",
        "assets",
        "bindings",
        "compatibilityDate",
        "limits",
        "mainModule",
        "migrations",
        "modules",
        "placement",
        "workerId",
    )
    optional = ("compatibilityFlags", "usageModel")
    forces = frozenset((*compared, *optional))
    outputs = ("createdOn", "id", "limits", "mainScriptBase64", "migrationTag", "number", "source", "startupTimeMs", "urls")
    after_replace = (
        *("annotations", "compatibilityFlags", "createdOn", "limits", "mainScriptBase64", "migrationTag"),
        *("number", "source", "startupTimeMs", "urls"),
    )
    after_update = after_replace
    known_if_declared = frozenset(("compatibilityFlags", "limits"))
    unserved = ("containers",)
    import_parts = ("accountId", "workerId", "id")

    def __init__(self, folder: Path = Path()) -> None:
        """``folder`` is that of the program, where relative paths begin."""
        self._folder = folder

    def planned(self, inputs: Properties, prior: Properties) -> Properties:  # noqa: ARG002 (a version has no past)
        """The standard usage model; flags are a set; a folder of assets with the digest of its files."""
        if "assets" in inputs:
            assets = inputs["assets"]
            seen = (
                {"assetManifestSha256": manifest_digest(manifest_of(self._folder / assets["directory"]))} if "directory" in assets else {}
            )
            inputs = {**inputs, "assets": {**assets, **seen}}
        if "modules" in inputs:
            inputs = {**inputs, "modules": modules.hashed(inputs["modules"], self._folder)}
        flags = {key: as_set(inputs[key]) for key in ("compatibilityFlags",) if key in inputs}
        return {"usageModel": "standard", **inputs, **flags}

    def comparable(self, key: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
        """Without what only the API knows; flags are a set."""
        match key:
            case "annotations":
                return without(value, "workersTriggeredBy")
            case "modules":
                return modules.compared(value)
            case "compatibilityFlags":
                return as_set(value)
        return value

    def replacing(self, changed: tuple[str, ...], planned: Properties, prior: Properties) -> frozenset[str]:
        """The bindings too, whatever changes: parts of them are not known before. Without bindings a removal can be an update."""
        forcing = super().replacing(changed, planned, prior) - {key for key in _CHOSEN if key not in planned}
        if modules.code(planned.get("modules")) == modules.code(prior.get("modules")):
            forcing -= {"modules"}
        return forcing | {"bindings"} if changed and planned.get("bindings") and prior.get("bindings") else forcing

    def problems(self, inputs: Properties) -> dict[str, str]:
        """Also refuses modules with neither a content nor a file, or with both, and JSON that is none."""
        problems = super().problems(inputs)
        if fault := modules.faults(inputs.get("modules")):
            problems["modules"] = fault
        if wrong := bindings.without_json(inputs.get("bindings")):
            problems["bindings"] = f"the value of {', '.join(wrong)} is not JSON"
        return problems

    async def create(self, api: Api, planned: Properties) -> Properties:
        """POST it. The outputs keep the bindings as they were declared, because the reply has no secrets."""
        account, worker = planned["accountId"], planned["workerId"]
        own = ("accountId", "workerId", "bindings", "assets", "modules")
        body = to_api({key: value for key, value in planned.items() if key not in own})
        if "modules" in planned:
            body["modules"] = modules.sent(planned["modules"], self._folder)
        if "bindings" in planned:
            body["bindings"] = bindings.sent(planned["bindings"])
        if "assets" in planned:
            body["assets"] = await self._assets(api, account, worker, planned["assets"])
        reply = await api.call("POST", account_path(account, "workers", "workers", worker, "versions"), body)
        return _outputs({"modules": [], **planned}, reply)

    async def read(self, api: Api, state: Properties) -> Properties | None:
        """GET it with its modules."""
        path = account_path(state["accountId"], "workers", "workers", state["workerId"], "versions", state["id"])
        reply = await api.find(f"{path}?include=modules")
        if reply is None:
            return None
        known: Properties = {key: state[key] for key in ("accountId", "workerId", "assets", "migrations") if key in state}
        if "bindings" in reply:
            known["bindings"] = bindings.received(reply["bindings"], state.get("bindings", []))
        known["modules"] = modules.received(reply.get("modules", []), state.get("modules", []))
        return _outputs({**_readable(reply), **known}, reply)

    async def _assets(self, api: Api, account: str, worker: str, assets: Properties) -> Properties:
        """What the version's upload says of its assets, whose files are uploaded before."""
        config = {"config": to_api(assets["config"])} if "config" in assets else {}
        if "directory" not in assets:
            return config
        return {**config, "jwt": await upload(api, account, worker, manifest_of(self._folder / assets["directory"]))}

    async def update(self, api: Api, planned: Properties, prior: Properties) -> Properties:  # noqa: ARG002 (makes no call)
        """Keep what is there: the API cannot change a version, and the official provider makes no call."""
        return {**prior, "modules": planned.get("modules", [])}


def _readable(reply: dict[str, Any]) -> Properties:
    keys = (*WorkerVersion.compared, *WorkerVersion.optional)
    now = {key: value for key, value in from_api(reply).items() if key in keys}
    return {key: as_set(value) if key == "compatibilityFlags" else value for key, value in now.items()}


def _outputs(known: Properties, reply: dict[str, Any]) -> Properties:
    """The known properties, with those that only the reply has."""
    keys = (*WorkerVersion.outputs, "annotations", "compatibilityFlags", "placement", "usageModel")
    added = {key: value for key, value in from_api(reply).items() if key in keys}
    outputs = {**completed(known, added), "createdOn": seconds(reply["created_on"])}
    return {key: value for key, value in outputs.items() if value or key != "modules"}
