"""Bindings of a version on their way between program, API and state. Pure.

The API gets them sorted by name. The state has them in the program's order, whatever the order of a reply. The value of a ``json``
binding is a text in the program and the state, and JSON towards the API; a refresh keeps a text that means the same.
"""

import json
from typing import Any

from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.values import SENSITIVE, UNKNOWN, Properties

# What the official provider keeps of a binding of the types that the local cloud has; it drops whatever else a reply names.
_FIELDS = frozenset(
    (
        *("allowedDestinationAddresses", "allowedSenderAddresses", "bucketName", "certificateId", "className", "databaseId", "dataset"),
        *("destinationAddress", "entrypoint", "environment", "id", "indexName", "json", "jurisdiction", "name", "namespace", "namespaceId"),
        *("pipeline", "queueName", "scriptName", "secretName", "service", "simple", "storeId", "text", "type", "workflowName"),
    )
)


def sent(bindings: list[Properties]) -> list[Properties]:
    """The bindings as a request has them."""
    in_order = sorted(bindings, key=lambda binding: str(binding.get("name")))
    return [_with_json(to_api(binding), json.loads) for binding in in_order]


def received(reply: list[Properties], before: list[Properties]) -> list[Properties]:
    """The bindings of a reply as the state has them: in their former order, then new ones, and with the secrets of before."""
    known = {binding["name"]: binding for binding in before}
    now = {binding["name"]: _restored(binding, known.get(binding["name"], {})) for binding in map(_readable, reply)}
    return [now[name] for name in (*(name for name in known if name in now), *(name for name in now if name not in known))]


def without_json(bindings: Any) -> list[str]:  # noqa: ANN401 (JSON)
    """The names of the ``json`` bindings whose value is no JSON."""
    declared = bindings if isinstance(bindings, list) else []
    texts = [(binding.get("name"), binding["json"]) for binding in declared if isinstance(binding, dict) and "json" in binding]
    return [str(name) for name, text in texts if text not in (UNKNOWN, "null") and _parsed(text) is None]


def _readable(binding: Properties) -> Properties:
    readable = from_api(_with_json(binding, lambda value: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))))
    return {key: value for key, value in readable.items() if key in _FIELDS}


def _restored(now: Properties, before: Properties) -> Properties:
    if now["type"] != before.get("type"):
        return now
    same_json = "json" in now and _parsed(now["json"]) == _parsed(before.get("json"))
    text = {"json": before["json"]} if same_json and "json" in before else {}
    return {**{key: before[key] for key in SENSITIVE if key in before}, **now, **text}


def _with_json(binding: Properties, change: Any) -> Properties:  # noqa: ANN401 (a function of JSON)
    return {**binding, "json": change(binding["json"])} if "json" in binding else binding


def _parsed(text: Any) -> Any:  # noqa: ANN401 (JSON)
    """The meaning of a text, None if it is no JSON."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None
