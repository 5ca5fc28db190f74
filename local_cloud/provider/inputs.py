"""The inputs that belong to outputs that were read: after an import and after a refresh.

The engine keeps them in the state and compares the program's inputs with them, so defaults and computed values must not be among them,
or each would show as a change. Pure.
"""

from typing import Any

from local_cloud.provider.json_values import without
from local_cloud.provider.resource import Resource
from local_cloud.provider.values import Properties


def imported(resource: Resource, outputs: Properties) -> Properties:
    """The inputs after an import: every property that can be declared and is not false, zero or empty."""
    declarable = (*resource.required, *resource.compared, *resource.optional)
    properties = {key: _stripped(outputs[key]) for key in dict.fromkeys(declarable) if key in outputs}
    return {key: value for key, value in properties.items() if value}


def _stripped(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return {key: item for key, item in ((key, _stripped(item)) for key, item in value.items()) if item}
    if isinstance(value, list):
        return [_stripped(item) for item in without(value, "contentSha256", "createdOn", "modifiedOn")]
    return value


def refreshed(inputs: Properties, outputs: Properties) -> Properties:
    """The inputs after a refresh: the declared properties with their present values, without those that are gone."""
    return {key: _projected(value, outputs[key]) for key, value in inputs.items() if key in outputs}


def _projected(declared: Any, now: Any) -> Any:  # noqa: ANN401 (JSON)
    """The present value with only those keys that were declared."""
    if isinstance(declared, dict) and isinstance(now, dict):
        return {key: _projected(item, now[key]) for key, item in declared.items() if key in now}
    if isinstance(declared, list) and isinstance(now, list):
        return _projected_list(declared, now)
    return now


def _projected_list(declared: list[Any], now: list[Any]) -> list[Any]:
    """Item by item with the declared keys only, if both lists name the same items; else the present list. The order is the present one."""
    named = {_name(item): item for item in declared}
    if len(named) != len(now) or any(_name(item) not in named for item in now):
        return [without(item, "contentSha256", "createdOn", "modifiedOn") for item in now]
    return [_projected(named[_name(item)], item) for item in now]


def _name(item: Any) -> str:  # noqa: ANN401 (JSON)
    if not isinstance(item, dict):
        return str(item)
    return str(next((item[key] for key in ("name", "cron", "versionId") if key in item), item))
