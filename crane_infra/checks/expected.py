"""What an answer has to be: its status, its body and what stands where in its JSON. Data only."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from crane_infra.checks.patterns import Pattern
from crane_infra.checks.places import Place
from crane_infra.frozen import Declared

Environment = Literal["staging", "production"]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_STATUSES = range(200, 600)


def _statuses(status: int | tuple[int, ...]) -> int | tuple[int, ...]:
    statuses = status if isinstance(status, tuple) else (status,)
    if not statuses or any(number not in _STATUSES for number in statuses):
        message = "a status is a number from 200 to 599, or several of them"
        raise ValueError(message)
    return status


Status = Annotated[int | tuple[int, ...], AfterValidator(_statuses)]
Number = Annotated[int, Field(strict=True)] | Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Expected(Declared):
    """What an answer has to be."""

    status: Status = 200
    """The status, or several of which one has to come."""
    json_includes: Mapping[str, JsonValue] | None = None
    """Must be in the JSON reply. At every level, objects may hold more; lists and plain values must be equal."""
    json_has: tuple[Place, ...] = ()
    """Places that the JSON reply must have, whatever stands there."""
    json_at_least: Mapping[Place, Number] = {}
    """By place, the number that must stand there, or a greater one."""
    json_matches: Mapping[Place, Pattern] = {}
    """By place, the regular expression that must be found in the text there."""
    body_matches: Pattern | None = None
    """The regular expression that must be found in the body, as text."""

    @property
    def needs_json(self) -> bool:
        """Whether only JSON can be right."""
        return self.json_includes is not None or bool(self.json_has or self.json_at_least or self.json_matches)

    @property
    def needs_body(self) -> bool:
        """Whether an answer without a body cannot be right."""
        return self.needs_json or self.body_matches is not None
