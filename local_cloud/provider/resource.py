"""What all resource types of the stand-in provider share: a plan, a difference, four calls.

A plan is the declared inputs with the provider's defaults. A difference compares it with the last outputs, as the official provider
does, never with the last inputs. This part is pure.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import Api
from local_cloud.provider.names import camel
from local_cloud.provider.values import UNKNOWN, Properties

_FRACTION = re.compile(r"\.\d+(?=Z$)")


@dataclass(frozen=True)
class Difference:
    """What a plan changes: the properties that differ, those that force a replacement, and all that will differ afterwards."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...]
    shown: tuple[str, ...]


class Resource(ABC):
    """One resource type. Properties are plain values with the engine's names; outputs hold ``id`` and ``accountId``."""

    token: ClassVar[str]
    required: ClassVar[tuple[str, ...]]
    # Properties that can be declared and are compared.
    compared: ClassVar[tuple[str, ...]]
    # The same, but an undeclared one keeps its value.
    optional: ClassVar[tuple[str, ...]] = ()
    # A change of these replaces the resource; any replacement lists those of ``replaced_with`` too.
    forces: ClassVar[frozenset[str]]
    replaced_with: ClassVar[tuple[str, ...]] = ()
    # Properties that the API adds, and those that are known only after an update or a replacement.
    outputs: ClassVar[tuple[str, ...]]
    after_update: ClassVar[tuple[str, ...]] = ()
    after_replace: ClassVar[tuple[str, ...]] = ()
    # Properties of the official provider that the stand-in does not support.
    unserved: ClassVar[tuple[str, ...]] = ()
    # The parts of an import id.
    import_parts: ClassVar[tuple[str, ...]] = ("accountId", "id")

    def planned(self, inputs: Properties, prior: Properties) -> Properties:  # noqa: ARG002 (for those with defaults)
        """The inputs with defaults; ``prior`` are the last outputs, empty before the first."""
        return dict(inputs)

    def comparable(self, key: str, value: Any) -> Any:  # noqa: ANN401, ARG002 (JSON; for those with special cases)
        """A value in the form in which two are compared: without computed parts, and sorted if the order does not matter."""
        return value

    def problems(self, inputs: Properties) -> dict[str, str]:
        """What is wrong with the inputs, by property."""
        missing = {key: "it is required" for key in self.required if key not in inputs}
        return missing | {key: "the stand-in provider does not support it" for key in self.unserved if key in inputs}

    def difference(self, planned: Properties, prior: Properties) -> Difference:
        """What the plan changes against the last outputs."""
        declared = (*self.compared, *(key for key in self.optional if key in planned))
        changed = tuple(sorted(key for key in declared if self._form(key, planned) != self._form(key, prior)))
        forcing = self.forces.intersection(changed)
        replaces = {*forcing, *self.replaced_with} if forcing else set()
        later = self.after_replace if forcing else self.after_update
        return Difference(changed, tuple(sorted(replaces)), tuple(sorted({*changed, *replaces, *later}) if changed else ()))

    def _form(self, key: str, properties: Properties) -> Any:  # noqa: ANN401 (JSON)
        return canonical(self.comparable(key, properties.get(key)) or None)

    def foreseen(self, planned: Properties) -> Properties:
        """The outputs of a creation, as far as a preview knows them."""
        return {**dict.fromkeys(self.outputs, UNKNOWN), **planned}

    def located(self, import_id: str) -> Properties:
        """The parts of an import id by name. Raises LocalCloudError if this type's ids have other parts."""
        parts = import_id.split("/")
        if len(parts) != len(self.import_parts) or not all(parts):
            raise LocalCloudError(self.token, f"'{import_id}' is not an import id", f"Write <{'>/<'.join(self.import_parts)}>")
        return dict(zip(self.import_parts, parts, strict=True))

    @abstractmethod
    async def create(self, api: Api, planned: Properties) -> Properties:
        """Create it and give the outputs."""

    @abstractmethod
    async def read(self, api: Api, state: Properties) -> Properties | None:
        """Give its present outputs, None if it is gone."""

    async def update(self, api: Api, planned: Properties, prior: Properties) -> Properties:
        """Change it and give the outputs; by default raises LocalCloudError."""
        what = f"{prior.get('id')} at {api.base_url} cannot be changed, only replaced"
        raise LocalCloudError(
            self.token, what, f"This is a defect of the stand-in provider: it planned {', '.join(sorted(planned))} as an update"
        )

    async def delete(self, api: Api, state: Properties) -> None:  # noqa: B027 (most types do nothing)
        """Delete it. By default makes no call: what belongs to a script is deleted with the script."""


def canonical(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A value of any depth as text, in which 1 equals 1.0 and the order of keys does not matter."""
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def unordered(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A list in one fixed order; anything else as it is."""
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
