"""A step of a rehearsal."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StoryStep:
    """A named step. ``run`` returns the result in one line, or raises a CraneError."""

    title: str
    run: Callable[[], str]
