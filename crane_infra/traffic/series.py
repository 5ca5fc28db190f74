"""Decides what a series of rounds against a candidate means: passed, failed, or go on asking. Pure.

In one round every check is asked once, the one that names the version first. While a deployment propagates, the version before answers too, so
only answers of the candidate count for or against it, and only an unbroken run of them.
"""

from collections.abc import Sequence
from enum import Enum, auto

IN_A_ROW = 6
"""How many right rounds in a row pass. Cloudflare's own tools ask for as many: during propagation answers come from both versions."""
FORGIVEN = 2
"""How many wrong rounds a run may have."""
_ONE_IN = 10


class Seen(Enum):
    """What a round saw."""

    RIGHT = auto()
    """Every answer was right, and the candidate was named."""
    WRONG = auto()
    """The candidate was named, and another answer was wrong."""
    FAULTY = auto()
    """Where the version should be named there was no answer, or the worker failed."""
    ELSEWHERE = auto()
    """Another version answered, or one that cannot be told."""


class Verdict(Enum):
    """What a series means."""

    PASSED = auto()
    FAILED = auto()
    OPEN = auto()


def judge(rounds: Sequence[Seen]) -> Verdict:
    """Passed: the last six rounds are right, and at most one in ten of the candidate's was wrong. Failed: at least three of six or more were."""
    run = _of_the_candidate(rounds)
    wrong = sum(seen is not Seen.RIGHT for seen in run)
    if len(run) < IN_A_ROW:
        return Verdict.OPEN
    if wrong > FORGIVEN:
        return Verdict.FAILED
    all_right = all(seen is Seen.RIGHT for seen in run[-IN_A_ROW:])
    return Verdict.PASSED if all_right and wrong * _ONE_IN <= len(run) else Verdict.OPEN


def _of_the_candidate(rounds: Sequence[Seen]) -> Sequence[Seen]:
    """The unbroken run at the end in which the candidate answered, from the first round that named it."""
    broken = [place for place, seen in enumerate(rounds) if seen is Seen.ELSEWHERE]
    run = rounds[broken[-1] + 1 :] if broken else rounds
    named = [place for place, seen in enumerate(run) if seen is not Seen.FAULTY]
    return run[named[0] :] if named else ()
