"""Property names: ``headSamplingRate`` towards the engine, ``head_sampling_rate`` towards the API.

Works on plain JSON values of any depth and changes names only. A rule converts them, so no list of names can miss one.
"""

import re
from typing import Any

_ANNOTATIONS = {
    "workersMessage": "workers/message",
    "workersTag": "workers/tag",
    "workersTriggeredBy": "workers/triggered_by",
}
_ANNOTATIONS_BACK = {api: name for name, api in _ANNOTATIONS.items()}


def camel(name: str) -> str:
    """``head_sampling_rate`` as ``headSamplingRate``; a camel-case name stays as it is."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """``headSamplingRate`` as ``head_sampling_rate``."""
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def to_api(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A value in the API's format: snake case, whole numbers without a fraction, no nulls."""
    if isinstance(value, dict):
        return {_ANNOTATIONS.get(key, snake(key)): to_api(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [to_api(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def from_api(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A reply of the API as properties: camel case, no nulls."""
    if isinstance(value, dict):
        return {_ANNOTATIONS_BACK.get(key, camel(key)): from_api(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [from_api(item) for item in value]
    return value
