"""Asks a candidate on the live address, round after round, until ``series.judge`` has decided or the deadline has passed.

The override header reaches a version that gets no traffic. Cloudflare ignores it where it does not fit, without a word, so each round begins with
the check that names the version. Each question has a connection and a URL of its own: neither a cache nor one lucky machine answers for all.
"""

import asyncio
import contextlib
import itertools
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic

import httpx

from crane_infra.checks.attempt import Attempt
from crane_infra.checks.model import AnyCheck, StepsCheck
from crane_infra.checks.request import OVERRIDES, Route, Target, require_sendable, where
from crane_infra.checks.run import in_order, try_once
from crane_infra.checks.send import REQUEST_SECONDS
from crane_infra.counted import counted
from crane_infra.errors import CheckError
from crane_infra.tls import trusted
from crane_infra.traffic.series import ENOUGH, Seen, Verdict, has_arrived, judge, missing

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_PAUSE, _GROWTH, _LONGEST_PAUSE, _PATIENT_SECONDS = 0.1, 1.5, 5.0, 10.0
_BEAT = 0.01
"""Seconds between the beginnings of two rounds while the candidate answers. That it has arrived is shown by how many connections reach it one after
another, and over a network each of them takes longer than this; only the rounds against a worker on this machine would follow each other at once."""
_AT_ONCE = 8
"""Rounds side by side, once the candidate has arrived: then only their number counts."""


@dataclass(frozen=True)
class Round:
    """What a round saw: the first try that did not pass, if any, and how that is judged."""

    seen: Seen
    check: AnyCheck | None = None
    attempt: Attempt | None = None


def can_be_named(script: str) -> bool:
    """Whether the override header can name the worker: the keys of such a dictionary begin with a letter (RFC 8941)."""
    return _KEY.fullmatch(script) is not None


async def run_trial(
    target: Target, version: str, checks: Sequence[AnyCheck], log: Callable[[str], None], enough: int = ENOUGH
) -> CheckError | None:
    """Ask a candidate until it has passed; returns the error where it has not. ``log`` hears of a trial that takes longer.

    The deadline is for its arrival; once it has arrived, it has as long again for the rest of ``enough`` rounds. Raises CheckError for checks
    that cannot be sent, before anything is sent.
    """
    require_sendable(target, checks)
    if any(isinstance(check, StepsCheck) for check in checks):
        return await _rounds(target, version, checks, log, enough, None)
    async with _client(CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))) as http:
        return await _rounds(target, version, checks, log, enough, http)


async def _rounds(
    target: Target, version: str, checks: Sequence[AnyCheck], log: Callable[[str], None], enough: int, http: httpx.AsyncClient | None
) -> CheckError | None:
    """Ask until the rounds have decided or the time is over. ``http`` keeps nothing of an answer; None: each round makes a client, for its steps."""
    deadline, started = max(check.deadline for check in checks), monotonic()
    rounds: list[Round] = []
    said, arrived = False, False
    for step in itertools.count():
        began = monotonic()
        left = deadline * (2 if arrived else 1) - (began - started)
        count = min(missing(_seen_in(rounds), enough), _AT_ONCE) if has_arrived(_seen_in(rounds)) else 1
        rounds += await asyncio.gather(*(ask_round(target, version, checks, left, http) for _ in range(count)))
        verdict, passed = judge(_seen_in(rounds), enough), monotonic() - started
        arrived = arrived or has_arrived(_seen_in(rounds))
        limit = deadline * (2 if arrived else 1)
        if verdict is Verdict.PASSED:
            return None
        wait = 0.0 if has_arrived(_seen_in(rounds)) else _pause(step, rounds[-1], monotonic() - began)
        if verdict is Verdict.FAILED or passed + wait >= limit:
            return failure(target, version, rounds, limit if verdict is Verdict.OPEN else None, enough)
        if passed > _PATIENT_SECONDS and not said:
            log(f"worker {target.worker}: candidate {version} has not passed after {passed:.0f} s: {last_wrong(rounds)}")
            said = True
        await asyncio.sleep(wait)
    raise AssertionError  # pragma: no cover (the loop has no end of its own)


def _seen_in(rounds: Sequence[Round]) -> list[Seen]:
    return [each.seen for each in rounds]


async def ask_round(
    target: Target, version: str, checks: Sequence[AnyCheck], seconds: float, http: httpx.AsyncClient | None = None
) -> Round:
    """Try each check once on a version of the active deployment, up to the first that does not pass: the check that names the version first.

    A question that is still without an answer after so many ``seconds`` was cut short. Without ``http`` the round has a client of its own.
    """
    ends = monotonic() + seconds
    async with contextlib.nullcontext(http) if http else _client() as asked:
        for check in in_order(checks):
            attempt = await try_once(asked, Route(target, version), check, max(0.0, ends - monotonic()))
            seen = _seen(target, check, attempt, is_cut=attempt.ran_out and monotonic() >= ends)
            if seen is not Seen.RIGHT:
                return Round(seen, check, attempt)
    return Round(Seen.RIGHT)


def _client(cookies: CookieJar | None = None) -> httpx.AsyncClient:
    """A client that asks each question over a connection of its own."""
    return httpx.AsyncClient(timeout=REQUEST_SECONDS, verify=trusted(), limits=httpx.Limits(max_keepalive_connections=0), cookies=cookies)


def _seen(target: Target, check: AnyCheck, attempt: Attempt, *, is_cut: bool) -> Seen:
    if attempt.passed:
        return Seen.RIGHT
    if target.version_id is None:
        return Seen.ELSEWHERE
    if is_cut:
        return Seen.CUT
    if check.names_version:
        return Seen.FAULTY if attempt.is_down else Seen.ELSEWHERE
    # A step may name the version, too: where another one answers in between, the candidate is not to blame.
    return Seen.ELSEWHERE if attempt.is_other_version and not attempt.is_down else Seen.WRONG


def _pause(step: int, last: Round, took: float) -> float:
    """What is left of a short beat while the candidate answers, of which the last round ``took`` its part; longer and longer while it does not yet."""
    varied = random.uniform(0.5, 1.5)  # noqa: S311 (not for security: it keeps parallel trials from sending in step)
    if last.seen is Seen.RIGHT:
        return max(0.0, _BEAT * varied - took)
    return varied * min(_PAUSE * _GROWTH ** min(step, 20), _LONGEST_PAUSE)


def failure(target: Target, version: str, rounds: Sequence[Round], deadline: float | None, enough: int) -> CheckError:
    """Why a candidate has not passed: ``deadline`` where the time was over before its rounds decided."""
    within = f" within {deadline:g} s" if deadline else ""
    told = [each for each in rounds if each.seen is not Seen.CUT] or rounds
    shown = _shown(told)
    if shown is None or shown.check is None or shown.attempt is None:  # there was no time for enough rounds
        what = f"candidate {version} was not asked {enough} times within {deadline or 0:g} s, though every answer was right"
        return CheckError(f"worker {target.worker}", what, "Give its checks a longer deadline, or set fewer candidate-rounds")
    what = f"candidate {version} did not pass{within}: expected {shown.attempt.expected}; {last_wrong(rounds)}"
    was_named = any(each.seen in (Seen.RIGHT, Seen.WRONG) for each in rounds)
    if target.version_id and shown.seen is Seen.ELSEWHERE and not was_named:
        what += f". No answer ever named it: the header {OVERRIDES} may be lost on the way to {target.url}, or the version reports no id"
    return CheckError(where(target, shown.check), what, f"Look at the logs of {target.worker} and fix it")


def last_wrong(rounds: Sequence[Round]) -> str:
    """The last try that did not pass, without secrets, and how many rounds there were."""
    count = counted(len(rounds), "round")
    shown = _shown(rounds)
    if shown is None or shown.check is None or shown.attempt is None:
        return f"{count}, each of them right"
    return f"after {count} the last wrong answer to {shown.check.name} was {shown.attempt.described}"


def _shown(rounds: Sequence[Round]) -> Round | None:
    """The last round that was wrong: one that got an answer, if there is any, for a question without an answer tells less."""
    wrong = [each for each in rounds if each.attempt]
    answered = [each for each in wrong if each.attempt and not each.attempt.ran_out]
    return next(iter([*answered[-1:], *wrong[-1:]]), None)
