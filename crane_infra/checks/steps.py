"""A check of several requests, which use values of the answers before them. Data only; ``follow.py`` sends them."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from crane_infra.checks.expected import Environment, Name, Seconds
from crane_infra.checks.places import Place
from crane_infra.checks.question import Question
from crane_infra.checks.values import ValueName, filled, names_in
from crane_infra.frozen import Declared


class Step(Question):
    """One request of several. Its path, headers, body and expected JSON may hold ``{{name}}`` for a value of a step before it."""

    take: Mapping[ValueName, Place] = {}
    """Values of the answer for the steps after it: name to place. They are hidden in errors, since one may be a token."""

    def filled(self, values: Mapping[str, JsonValue]) -> Self:
        """The step with the values in their places."""
        return filled(self, values)


class StepsCheck(Declared):
    """Requests one after another, which may use values of the answers before them. They are tried again from the first one until all pass.

    Clean-up runs after each try that has sent something, also if the try failed or ran out of time.
    """

    kind: ClassVar[Literal["steps"]] = "steps"
    name: Name
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    cleanup: tuple[Step, ...] = ()
    """What takes away what the steps have made. One that needs a value which no answer gave is left out."""
    fresh: tuple[ValueName, ...] = ()
    """Names of values that are new and unique in each try, such as ids and addresses."""
    deadline: Seconds = 60
    """Seconds from the first try."""
    mutating: bool = True
    """Whether the steps write. Such a check never runs in production, nor while a version has no traffic."""
    rehearsable: bool = True
    """Whether it can pass on the local cloud, where secrets are placeholders and much of what a worker binds is empty. Else a rehearsal leaves it out."""

    @model_validator(mode="after")
    def _known_values(self) -> Self:
        known = set(self.fresh)
        if len(known) < len(self.fresh):
            message = "a name in fresh stands there twice"
            raise ValueError(message)
        for number, step in enumerate((*self.steps, *self.cleanup), 1):
            place = f"step {number}" if number <= len(self.steps) else f"clean-up {number - len(self.steps)}"
            if unknown := sorted(names_in(step) - known):
                message = f"{place} uses {{{{{unknown[0]}}}}}, which is not in fresh and which no step before it takes"
                raise ValueError(message)
            if again := sorted(known & set(step.take)):
                message = f"{place} takes {again[0]}, which has a value already"
                raise ValueError(message)
            known |= set(step.take)
        return self

    @property
    def names_version(self) -> bool:
        """Steps do not tell which version serves: a check of its own does, before them."""
        return False

    @property
    def is_for_candidates(self) -> bool:
        """Whether it can run while the version has no traffic."""
        return not self.mutating

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the bindings whose secret values the requests need."""
        return frozenset().union(*(step.secrets for step in (*self.steps, *self.cleanup)))

    def in_environment(self, environment: Environment) -> Self:
        """The same, with what this environment expects."""
        parts = {part: tuple(step.in_environment(environment) for step in getattr(self, part)) for part in ("steps", "cleanup")}
        return self.model_copy(update=parts)

    def definition(self) -> dict[str, JsonValue]:
        """Everything that defines the check, as plain JSON to hash: without defaults, without secret values."""
        parts = {part: [step.shortest_definition() for step in getattr(self, part)] for part in ("steps", "cleanup") if getattr(self, part)}
        return {"kind": self.kind, **self.model_dump(mode="json", exclude_defaults=True), **parts}
