"""A step of a rehearsal. It decides nothing and does nothing."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A named step; ``run`` returns what was seen, in one line, or raises a CraneError."""

    title: str
    run: Callable[[], str]
