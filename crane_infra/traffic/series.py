"""Decides what a series of rounds against a candidate means: passed, failed, or go on asking. Pure.

In one round every check is asked once, the one that names the version first. While a deployment propagates, the version before answers too, so
only answers of the candidate count for or against it, and only an unbroken run of them.
"""

from collections.abc import Sequence
from enum import Enum, auto

IN_A_ROW = 6
"""How many right rounds in a row show that the candidate has arrived. Cloudflare's own tools ask for as many: before, both versions answer."""
ENOUGH = 22
"""How many rounds pass, if all are right: a check that fails one request in five is right that often in fewer than one of a hundred trials."""
FORGIVEN = 2
"""How many wrong rounds a run may have; each takes as many rounds more."""


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
    CUT = auto()
    """The deadline cut a question short, before it had an answer: that says nothing about the candidate."""


class Verdict(Enum):
    """What a series means."""

    PASSED = auto()
    FAILED = auto()
    OPEN = auto()


def judge(rounds: Sequence[Seen], enough: int = ENOUGH) -> Verdict:
    """Passed: the last six rounds are right, and there were enough for those that were wrong. Failed: at least three of six or more were."""
    run = _of_the_candidate(rounds)
    if len(run) < IN_A_ROW:
        return Verdict.OPEN
    if _wrong(run) > FORGIVEN:
        return Verdict.FAILED
    return Verdict.PASSED if has_arrived(rounds) and len(run) >= _needed(run, enough) else Verdict.OPEN


def has_arrived(rounds: Sequence[Seen]) -> bool:
    """Whether the candidate answers alone: the last six rounds are right."""
    last = _told(rounds)[-IN_A_ROW:]
    return len(last) == IN_A_ROW and all(seen is Seen.RIGHT for seen in last)


def missing(rounds: Sequence[Seen], enough: int = ENOUGH) -> int:
    """How many more rounds the candidate needs to pass, where all of them are right."""
    run = _of_the_candidate(rounds)
    return max(1, _needed(run, enough) - len(run))


def _told(rounds: Sequence[Seen]) -> Sequence[Seen]:
    return [seen for seen in rounds if seen is not Seen.CUT]


def _needed(run: Sequence[Seen], enough: int) -> int:
    return enough * (1 + _wrong(run))


def _wrong(run: Sequence[Seen]) -> int:
    return sum(seen is not Seen.RIGHT for seen in run)


def _of_the_candidate(rounds: Sequence[Seen]) -> Sequence[Seen]:
    """The unbroken run at the end in which the candidate answered, from the first round that named it."""
    rounds = _told(rounds)
    broken = [place for place, seen in enumerate(rounds) if seen is Seen.ELSEWHERE]
    run = rounds[broken[-1] + 1 :] if broken else rounds
    named = [place for place, seen in enumerate(run) if seen is not Seen.FAULTY]
    return run[named[0] :] if named else ()
