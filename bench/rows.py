"""What a measurement gives: rows, each a figure and what it is compared with. The ratio carries to other machines, the figure does not."""

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
    """One figure; ``floor`` is what the same thing costs without us, in the same unit, and ``of`` says what that is."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    of: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the floor the figure is."""
        return self.value / self.floor if self.floor else None


def timed(act: Callable[[], object], times: int) -> list[float]:
    """Do something this often, after once to warm up; give the milliseconds that each took."""
    act()
    return [_once(act) for _ in range(times)]


def median(figures: Sequence[float]) -> float:
    """Give the middle figure."""
    return statistics.median(figures)


def p95(figures: Sequence[float]) -> float:
    """Give the figure that 95 of 100 do not exceed."""
    return sorted(figures)[math.ceil(len(figures) * 0.95) - 1]


def _once(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000
