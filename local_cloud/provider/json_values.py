"""Plain values of any depth: in the form in which two are compared, without some keys, completed from a reply, or kept as they were. Pure."""

import json
import re
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from local_cloud.provider.names import camel
from local_cloud.provider.values import Properties

_FRACTION = re.compile(r"\.\d+(?=Z$)")


def canonical(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A value of any depth as text, in which 1 equals 1.0 and the order of keys does not matter."""
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_set(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A list in one fixed order, in which sets are sent and kept; anything else as it is."""
    return sorted(value, key=canonical) if isinstance(value, list) else value


def without(value: Any, *computed: str) -> Any:  # noqa: ANN401 (JSON)
    """An object, or each object of a list, without some keys."""
    if isinstance(value, list):
        return [without(item, *computed) for item in value]
    return {key: item for key, item in value.items() if key not in computed} if isinstance(value, dict) else value


def completed(planned: Any, reply: Any) -> Any:  # noqa: ANN401 (JSON)
    """A planned value with what only the reply has. A call's reply never changes what was planned, as in the official provider."""
    if not isinstance(planned, dict) or not isinstance(reply, dict):
        return planned
    return {**reply, **{key: completed(value, reply.get(key)) for key, value in planned.items()}}


def seconds(timestamp: str) -> str:
    """A timestamp without its fraction of a second, as the official provider keeps it."""
    return _FRACTION.sub("", timestamp)


def ignoring(inputs: Properties, prior: Properties, paths: Iterable[str]) -> Properties:
    """The inputs with the last outputs at the paths of ``ignore_changes``; a path into a list means the whole list.

    The defaults of a plan come on top, as in the official provider: what the last outputs lack there is planned as a change all the same.
    """
    result = deepcopy(inputs)
    for path in paths:
        _restore(result, prior, [camel(part) for part in path.partition("[")[0].split(".")])
    return result


def _restore(inputs: Properties, prior: Properties, path: list[str]) -> None:
    key, *rest = path
    inner, old = inputs.get(key), prior.get(key)
    if rest and isinstance(inner, dict) and isinstance(old, dict):
        _restore(inner, old, rest)
    elif key in prior:
        inputs[key] = deepcopy(old)
    else:
        inputs.pop(key, None)
