"""One request of a check and the answer to it: what a check and a step have in common. Data only."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from crane_infra.checks.expected import Environment, Expected
from crane_infra.checks.headers import Header, Headers, secrets_in

_NONE: Mapping[str, Header] = {}
Path = Annotated[str, Field(pattern=r"^/([!\x22$-.0-~][!\x22$-~]*)?$")]
"""A path below the worker's address, with or without a query; no blanks, no fragment, no second slash that could name a host."""


class Question(Expected):
    """A request, and the answer that the worker must give to it."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    path: Path
    headers: Headers = _NONE
    body: JsonValue = None
    """Sent as JSON; None sends no body."""
    version_at: Annotated[str, Field(min_length=1)] | None = None
    """The key of the JSON reply whose value must be the expected version id."""
    exact_url: bool = False
    """Whether the URL is always sent as it is. Else a candidate is asked with a query parameter of its own, so that no cache knows the URL."""
    by_environment: Mapping[Environment, Expected] = {}
    """What one environment expects instead: only the fields that are set there."""

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        everywhere = (self, *(self._in(environment) for environment in self.by_environment))
        if self.method == "HEAD" and any(question.needs_body or question.version_at for question in everywhere):
            message = "the reply to HEAD has no body, so nothing can be expected in it"
            raise ValueError(message)
        return self

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the bindings whose secret values the request needs."""
        return secrets_in(self.headers)

    def in_environment(self, environment: Environment) -> Self:
        """The same, with what this environment expects."""
        return self._in(environment) if environment in self.by_environment else self

    def _in(self, environment: Environment) -> Self:
        instead = self.by_environment[environment]
        return self.model_copy(update={**{field: getattr(instead, field) for field in instead.model_fields_set}, "by_environment": {}})

    def instead(self) -> dict[str, JsonValue]:
        """What single environments expect, for a definition: only what is set there, also where it is a default; nothing if none does."""
        expected: dict[str, JsonValue] = {
            name: other.model_dump(mode="json", exclude_unset=True) for name, other in self.by_environment.items()
        }
        return {"by_environment": expected} if expected else {}

    def shortest_definition(self) -> dict[str, JsonValue]:
        """What defines the question, as plain JSON to hash: without defaults."""
        return {**self.model_dump(mode="json", exclude_defaults=True), **self.instead()}

    @property
    def shown(self) -> str:
        """The method and the path, as errors name them."""
        return f"{self.method} {self.path}"
