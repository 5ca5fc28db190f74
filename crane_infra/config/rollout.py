"""How the traffic of a worker moves to a new version: at once, or in steps with a pause after each. Settings only."""

import re
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from crane_infra.frozen import Frozen

_DURATION = re.compile(r"([1-9][0-9]{0,4})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 6 * 3600


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None:
        message = f"'{value}' is not a duration; write it as 30s, 5m or 1h"
        raise ValueError(message)
    return int(match[1]) * _SECONDS[match[2]]


Seconds = Annotated[int, BeforeValidator(_seconds), Field(gt=0, le=_LONGEST)]


class Rollout(Frozen):
    """Shares of the traffic in percent, and how long each is watched. Without steps all traffic moves at once."""

    steps: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = ()
    pause: Seconds = 300
    patience: Seconds | None = None
    """How much longer a step that lacks answers is watched; None: as long as the pause."""
    samples: Annotated[int, Field(ge=10, le=10_000)] = 50
    """How many answers of each version a step needs at least."""

    @model_validator(mode="after")
    def _growing(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)):
            message = "each step must be larger than the one before"
            raise ValueError(message)
        return self

    @property
    def longest_step(self) -> float:
        """For how many seconds a step is watched at most."""
        return float(self.pause + (self.pause if self.patience is None else self.patience))

    @property
    def longest_seconds(self) -> float:
        """How long a rollout may take."""
        return self.longest_step * len(self.steps)
