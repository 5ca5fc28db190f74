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
class Goal:
    """What a figure should be: at most ``limit``, or at least. It is the ratio's, unless it is ``of_figure``."""

    limit: float
    of_figure: bool = False
    is_least: bool = False


@dataclass(frozen=True)
class Row:
    """One figure. ``floor`` is the same without crane, in the same unit, and ``of`` describes it."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    of: str = ""
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """The figure divided by the floor; None if there is no floor."""
        return self.value / self.floor if self.floor else None

    @property
    def is_missed(self) -> bool:
        """Whether there is a goal and the figure does not reach it."""
        measured = self.value if self.goal and self.goal.of_figure else self.ratio
        if self.goal is None or measured is None:
            return False
        return measured < self.goal.limit if self.goal.is_least else measured > self.goal.limit

    @property
    def shown_goal(self) -> str:
        """The goal, as a table shows it; empty where there is none."""
        if self.goal is None:
            return ""
        limit = f"{self.goal.limit:,g} {self.unit}" if self.goal.of_figure else f"{self.goal.limit:g} x"
        return f"{'at least' if self.goal.is_least else 'at most'} {limit}{', missed' if self.is_missed else ''}"


def at_most(limit: float, unit: str = "") -> Goal:
    """The goal of a ratio, or of the figure itself where it has a unit."""
    return Goal(limit, of_figure=bool(unit))


def at_least(limit: float) -> Goal:
    """The goal of a figure that should be large."""
    return Goal(limit, of_figure=True, is_least=True)


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
