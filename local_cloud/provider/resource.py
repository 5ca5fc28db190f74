"""What all resource types of the stand-in provider share: a plan, a difference, four calls.

A plan is the declared inputs with the provider's defaults. A difference compares it with the last outputs, as the official provider
does, never with the last inputs. This part is pure.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import Api
from local_cloud.provider.json_values import canonical
from local_cloud.provider.values import UNKNOWN, Properties


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
    # A change of these replaces the resource.
    forces: ClassVar[frozenset[str]]
    # Properties that the API adds, and those that are known only after an update or a replacement.
    outputs: ClassVar[tuple[str, ...]]
    after_update: ClassVar[tuple[str, ...]] = ()
    after_replace: ClassVar[tuple[str, ...]] = ()
    # Those of them that are known before if they are declared.
    known_if_declared: ClassVar[frozenset[str]] = frozenset()
    # What is printed when one is created.
    creation_warning: ClassVar[str] = ""
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
        replaces = self.replacing(changed, planned, prior)
        known = self.known_if_declared.intersection(planned)
        later = set(self.after_replace if replaces else self.after_update) - known
        return Difference(changed, tuple(sorted(replaces)), tuple(sorted({*changed, *replaces, *later}) if changed else ()))

    def replacing(self, changed: tuple[str, ...], planned: Properties, prior: Properties) -> frozenset[str]:  # noqa: ARG002 (for some types)
        """Those properties because of which a change is a replacement; none for an update."""
        return self.forces.intersection(changed)

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
