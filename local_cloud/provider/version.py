"""Versions of a worker: code, bindings and annotations. A version never changes, so every change is a replacement.

The API does not return secrets, so a refresh keeps those of the state. Deleting a version makes no call.
"""

import base64
import binascii
import hashlib
from typing import Any

from local_cloud.provider.api import Api, account_path
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.resource import Resource, seconds, unordered, without
from local_cloud.provider.values import Properties


class WorkerVersion(Resource):
    """``cloudflare.WorkerVersion``. A replacement always lists the bindings, changed or not."""

    token = "cloudflare:index/workerVersion:WorkerVersion"  # noqa: S105
    required = ("accountId", "workerId")
    compared = ("accountId", "annotations", "bindings", "compatibilityDate", "compatibilityFlags", "mainModule", "modules", "workerId")
    optional = ("limits", "placement", "usageModel")
    forces = frozenset((*compared, *optional))
    replaced_with = ("bindings",)
    outputs = ("createdOn", "id", "limits", "mainScriptBase64", "migrationTag", "number", "source", "startupTimeMs", "urls")
    after_replace = (
        *("annotations", "createdOn", "limits", "mainScriptBase64", "migrationTag"),
        *("number", "source", "startupTimeMs", "urls"),
    )
    unserved = ("assets", "containers", "migrations")
    import_parts = ("accountId", "workerId", "id")

    def planned(self, inputs: Properties, prior: Properties) -> Properties:  # noqa: ARG002 (a version has no past)
        """The standard usage model, and sorted bindings."""
        bindings = {"bindings": _sorted(inputs["bindings"])} if "bindings" in inputs else {}
        return {"usageModel": "standard", **inputs, **bindings}

    def comparable(self, key: str, value: Any) -> Any:  # noqa: ANN401 (JSON)
        """Without what only the API knows; the order does not matter."""
        match key:
            case "annotations":
                return without(value, "workersTriggeredBy")
            case "modules":
                return unordered(without(value, "contentSha256"))
            case "bindings" | "compatibilityFlags":
                return unordered(value)
        return value

    def problems(self, inputs: Properties) -> dict[str, str]:
        """Also refuses modules without their content."""
        modules = inputs.get("modules")
        by_file = isinstance(modules, list) and any(isinstance(module, dict) and "contentFile" in module for module in modules)
        return super().problems(inputs) | ({"modules": "the stand-in provider needs contentBase64, not contentFile"} if by_file else {})

    async def create(self, api: Api, planned: Properties) -> Properties:
        """POST it. The outputs keep the bindings as they were sent, because the reply has no secrets."""
        account, worker = planned["accountId"], planned["workerId"]
        sent = {key: value for key, value in planned.items() if key not in ("accountId", "workerId")}
        reply = await api.call("POST", account_path(account, "workers", "workers", worker, "versions"), to_api(sent))
        return _outputs({**planned, "modules": _hashed(planned.get("modules", []))}, reply)

    async def read(self, api: Api, state: Properties) -> Properties | None:
        """GET it with its modules."""
        path = account_path(state["accountId"], "workers", "workers", state["workerId"], "versions", state["id"])
        reply = await api.find(f"{path}?include=modules")
        if reply is None:
            return None
        now = from_api(reply)
        bindings = _with_secrets(now.get("bindings", []), state.get("bindings", []))
        return _outputs({**_readable(now), **_place(state), "bindings": bindings, "modules": _hashed(now.get("modules", []))}, reply)


def _place(state: Properties) -> Properties:
    return {key: state[key] for key in ("accountId", "workerId")}


def _readable(now: Properties) -> Properties:
    keys = (*WorkerVersion.compared, *WorkerVersion.optional)
    return {key: value for key, value in now.items() if key in keys}


def _outputs(known: Properties, reply: dict[str, Any]) -> Properties:
    """The known properties, with those that only the reply has."""
    keys = (*WorkerVersion.outputs, "annotations", "placement", "usageModel")
    added = {key: value for key, value in from_api(reply).items() if key in keys}
    outputs = {**known, **added, "createdOn": seconds(reply["created_on"])}
    return {key: value for key, value in outputs.items() if value or key not in ("bindings", "modules")}


def _sorted(bindings: Any) -> Any:  # noqa: ANN401 (JSON)
    """Sorted by name; unchanged if the list is not known yet."""
    if not isinstance(bindings, list) or not all(isinstance(binding, dict) for binding in bindings):
        return bindings
    return sorted(bindings, key=lambda binding: str(binding.get("name")))


def _with_secrets(now: list[Properties], before: list[Properties]) -> list[Properties]:
    """The bindings of a reply: declared ones with the declared keys only, secrets as they were."""
    known = {binding["name"]: binding for binding in before}
    return _sorted([_binding(binding, known.get(binding["name"])) for binding in now])  # type: ignore[no-any-return]


def _binding(now: Properties, before: Properties | None) -> Properties:
    if before is None or before.get("type") != now.get("type"):
        return now
    if str(now["type"]).startswith("secret_"):
        return before
    return {key: now[key] for key in before if key in now}


def _hashed(modules: list[Properties]) -> list[Properties]:
    return [{**module, "contentSha256": _sha256(module["contentBase64"])} for module in modules if "contentBase64" in module]


def _sha256(content: str) -> str:
    try:
        return hashlib.sha256(base64.b64decode(content)).hexdigest()
    except binascii.Error:
        return hashlib.sha256(content.encode()).hexdigest()
