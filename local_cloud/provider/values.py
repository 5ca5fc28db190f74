"""Pulumi's property values as plain JSON values and back, and which of them are secret.

The text and the key of any binding are secret, as in the official provider, whether or not the program declares a secret. In outputs one of
them makes the whole list of bindings secret. Output values, assets and resource references are not supported.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from local_cloud.errors import LocalCloudError

Properties = dict[str, Any]
# The fields of a binding that are secret in the official provider's schema, and those that an error must not show.
SENSITIVE = ("text", "keyBase64", "keyJwk")
_CONFIDENTIAL = (*SENSITIVE, "json")

__all__ = ["SENSITIVE", "UNKNOWN", "Properties", "checked", "confidential", "marked", "plain", "secret_keys"]


def plain(values: Mapping[str, PropertyValue]) -> Properties:
    """The plain values, without nulls. Values that are not known yet are the text ``UNKNOWN``, as on the wire."""
    return {key: _plain(value) for key, value in values.items() if value.value is not None}


def _plain(value: PropertyValue) -> Any:  # noqa: ANN401 (JSON)
    inner = value.value
    if inner is None or isinstance(inner, str | bool | float):
        return inner
    if isinstance(inner, Mapping):
        return plain(inner)
    if isinstance(inner, tuple):
        return [_plain(item) for item in inner]
    raise LocalCloudError("stand-in provider", f"a value of type {type(inner).__name__} is not supported", "Pass plain values")


def secret_keys(values: Mapping[str, PropertyValue]) -> frozenset[str]:
    """The properties that are secret or contain a secret."""
    return frozenset(key for key, value in values.items() if value.contains_secret())


def marked(values: Properties, secret: frozenset[str]) -> dict[str, PropertyValue]:
    """Plain values for the engine, with those in ``secret`` and the lists of bindings that have a secret field marked as secret."""
    return {key: _wire(value).with_secret(key in secret or _has_sensitive_binding(value)) for key, value in values.items()}


def checked(values: Properties, secret: frozenset[str]) -> dict[str, PropertyValue]:
    """Plain inputs for the engine, with those in ``secret`` marked as secret, and of other bindings their secret fields."""
    return {key: _wire(value).with_secret(key in secret) if key in secret else _input(value) for key, value in values.items()}


def _input(value: Any) -> PropertyValue:  # noqa: ANN401 (JSON)
    if not _has_sensitive_binding(value):
        return _wire(value)
    return PropertyValue([_binding(item) for item in value])


def _binding(value: Any) -> PropertyValue:  # noqa: ANN401 (JSON)
    if not isinstance(value, dict):
        return _wire(value)
    return PropertyValue({key: _wire(item).with_secret(key in SENSITIVE) for key, item in value.items()})


def _wire(value: Any) -> PropertyValue:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return PropertyValue({key: _wire(item) for key, item in value.items()})
    if isinstance(value, list):
        return PropertyValue([_wire(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def _has_sensitive_binding(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) and "type" in item and item.keys() & {*SENSITIVE} for item in value)


def confidential(*parts: Mapping[str, PropertyValue]) -> dict[str, str]:
    """Every text that must not be shown, by a name that may be: a secret binding's value, and all texts of other secrets."""
    texts: dict[str, str] = {}
    for part in parts:
        secret = secret_keys(part)
        for key, value in plain(part).items():
            for name, text in _texts(key, value) if key in secret or _has_sensitive_binding(value) else ():
                if text not in texts.values():
                    texts[name if name not in texts else f"{name} ({len(texts)})"] = text
    return texts


def _texts(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and value != UNKNOWN:
        yield name, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(f"{name}[{index}]", item)
    elif isinstance(value, dict):
        binding = "name" in value and "type" in value
        for key, item in value.items():
            if not binding:
                yield from _texts(f"{name}.{key}", item)
            elif key in _CONFIDENTIAL:
                yield from _texts(str(value["name"]), item)
