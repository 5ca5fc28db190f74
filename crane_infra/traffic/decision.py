"""Decides after a step of a rollout: promote, abort, or hold. Pure.

Probes of both versions alternate, so both have the same sample and the same moment. Cloudflare's own numbers may veto; they never replace probes, and
their absence is no sign of health.
"""

from dataclasses import dataclass
from enum import Enum, auto

from crane_infra.live.invocations import Invocations, Unknown

FEW, HALF = 10, 0.5
ONE_POINT, AT_LEAST = 0.01, 0.02


class Decision(Enum):
    """What becomes of a rollout at a step."""

    WATCH = auto()
    """The step is not over."""
    PROMOTE = auto()
    ABORT = auto()
    HOLD = auto()
    """Nobody knows: nothing is promoted and nothing is undone, and a person decides."""


@dataclass(frozen=True)
class Counts:
    """How often a version was asked and answered, and how often wrongly."""

    asked: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """The share of wrong answers."""
        return self.failed / self.asked if self.asked else 0.0


def decide(old: Counts, new: Counts, *, is_over: bool, samples: int) -> Decision:
    """Abort where half of ten answers fail, or more than the limit of enough; hold where there were too few when the step is over."""
    if new.asked >= FEW and new.rate >= HALF:
        return Decision.ABORT
    if new.asked >= samples and new.rate > limit(old):
        return Decision.ABORT
    if not is_over:
        return Decision.WATCH
    return Decision.PROMOTE if new.asked >= samples else Decision.HOLD


def limit(old: Counts) -> float:
    """The highest rate of wrong answers: one point above the old version's, and at least 2 %.

    An old version that fails half of the checks does not know them, and is no measure.
    """
    return AT_LEAST if old.rate >= HALF else max(old.rate + ONE_POINT, AT_LEAST)


def vetoes(numbers: dict[str, Invocations] | Unknown, old: str, new: str) -> bool:
    """Whether Cloudflare's own numbers, where they are there, say that the new version throws too often."""
    if isinstance(numbers, Unknown):
        return False
    theirs, ours = (numbers.get(version, Invocations()) for version in (old, new))
    counts = Counts(ours.requests, ours.errors)
    return counts.asked >= FEW and counts.rate > limit(Counts(theirs.requests, theirs.errors))
