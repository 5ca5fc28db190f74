"""The result of a measurement: rows, each with a figure and what it is compared with. Only the ratio is meaningful on other machines."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Row:
    """One figure. ``floor`` is the same without crane, in the same unit, and ``of`` describes it."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    of: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure divided by the floor; None if there is no floor."""
        return self.value / self.floor if self.floor else None


def timed(act: Callable[[], object], times: int) -> list[float]:
    """Do something ``times`` times, after one warm-up, and return the time of each in milliseconds."""
    act()
    return [_once(act) for _ in range(times)]


def median(figures: Sequence[float]) -> float:
    """The median."""
    return statistics.median(figures)


def p95(figures: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(figures)[math.ceil(len(figures) * 0.95) - 1]


def _once(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000
