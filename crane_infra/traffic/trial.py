"""Asks a candidate on the live address, round after round, until ``series.judge`` has decided or the deadline has passed.

The override header reaches a version that gets no traffic. Cloudflare ignores it where it does not fit, without a word, so each round begins with
the check that names the version. Each question has a connection and a URL of its own: neither a cache nor one lucky machine answers for all.
"""

import asyncio
import itertools
import random
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

import httpx

from crane_infra.checks.answer import Answer, expectation, fault
from crane_infra.checks.model import Check
from crane_infra.checks.request import Request, Target, prepare, where
from crane_infra.checks.send import REQUEST_SECONDS, ask, error_text
from crane_infra.errors import CheckError
from crane_infra.redact import Redactor
from crane_infra.tls import trusted
from crane_infra.traffic.series import IN_A_ROW, Seen, Verdict, judge

OVERRIDES = "cloudflare-workers-version-overrides"
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_SERVER_ERROR = 500
_PAUSE, _GROWTH, _LONGEST_PAUSE, _PATIENT_SECONDS = 0.1, 1.5, 5.0, 10.0


@dataclass(frozen=True)
class Round:
    """What a round saw: the first answer that was not right, if any, and how that is judged."""

    seen: Seen
    check: Check | None = None
    answer: Answer | Exception | None = None


def can_be_named(script: str) -> bool:
    """Whether the override header can name the worker: the keys of such a dictionary begin with a letter (RFC 8941)."""
    return _KEY.fullmatch(script) is not None


async def run_trial(target: Target, version: str, checks: Sequence[Check], log: Callable[[str], None]) -> CheckError | None:
    """Ask a candidate until it has passed; returns the error where it has not. ``log`` hears of a trial that takes longer.

    Raises CheckError for a check that cannot be sent, before anything is sent.
    """
    requests = probes(target, version, checks)
    deadline, started = max(check.deadline for check in checks), monotonic()
    rounds: list[Round] = []
    said = False
    for step in itertools.count():
        rounds.append(await ask_round(target, requests, deadline - (monotonic() - started)))
        verdict, passed = judge([each.seen for each in rounds]), monotonic() - started
        if verdict is Verdict.PASSED:
            return None
        wait = _pause(step, rounds[-1])
        if verdict is Verdict.FAILED or passed + wait >= deadline:
            return _failure(target, version, rounds, deadline if verdict is Verdict.OPEN else None)
        if passed > _PATIENT_SECONDS and not said:
            log(f"worker {target.worker}: candidate {version} has not passed after {passed:.0f} s: {last_wrong(target, rounds)}")
            said = True
        await asyncio.sleep(wait)
    raise AssertionError  # pragma: no cover (the loop has no end of its own)


def probes(target: Target, version: str, checks: Sequence[Check]) -> list[Request]:
    """The requests of a round, for one version of the active deployment: the check that names the version first.

    Raises CheckError for a check that cannot be sent.
    """
    ordered = sorted(checks, key=lambda check: check.version_at is None)
    override = {OVERRIDES: f'{target.worker}="{version}"'}
    return [replace(request, headers={**request.headers, **override}) for request in (prepare(target, check) for check in ordered)]


async def ask_round(target: Target, requests: Sequence[Request], seconds: float) -> Round:
    """Ask each check once, up to the first answer that is not right."""
    limits = httpx.Limits(max_keepalive_connections=0)
    ends = monotonic() + seconds
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, verify=trusted(), limits=limits) as http:
        for request in requests:
            left = max(0.0, ends - monotonic())
            answer = await ask(http, _unknown_to_caches(request), min(left, REQUEST_SECONDS))
            if (seen := _seen(target, request.check, answer)) is not Seen.RIGHT:
                return Round(seen, request.check, answer)
    return Round(Seen.RIGHT)


def _seen(target: Target, check: Check, answer: Answer | Exception) -> Seen:
    if isinstance(answer, Answer) and fault(check, answer, target.version_id) is None:
        return Seen.RIGHT
    if target.version_id is None:
        return Seen.ELSEWHERE
    if check.version_at is None:
        return Seen.WRONG
    return Seen.FAULTY if isinstance(answer, Exception) or answer.status >= _SERVER_ERROR else Seen.ELSEWHERE


def _unknown_to_caches(request: Request) -> Request:
    """The request with a query parameter that was never sent before. What is not GET or HEAD, no cache answers."""
    if request.check.exact_url or request.check.method not in ("GET", "HEAD"):
        return request
    parameter, url = f"crane-probe={secrets.token_hex(8)}", str(request.url)
    return replace(request, url=httpx.URL(f"{url}&{parameter}" if request.url.query else f"{url.rstrip('?')}?{parameter}"))


def _pause(step: int, last: Round) -> float:
    """Short while the candidate answers; longer and longer while it does not yet."""
    pause = _PAUSE if last.seen is Seen.RIGHT else min(_PAUSE * _GROWTH ** min(step, 20), _LONGEST_PAUSE)
    return pause * random.uniform(0.5, 1.5)  # noqa: S311 (not for security: it keeps parallel trials from sending in step)


def _failure(target: Target, version: str, rounds: Sequence[Round], deadline: float | None) -> CheckError:
    bad = [each for each in rounds if each.check]
    check = bad[-1].check if bad else None
    if check is None:  # every round was right, and there was no time for six
        what = f"candidate {version} was not asked {IN_A_ROW} times within {deadline or 0:g} s, though every answer was right"
        return CheckError(f"worker {target.worker}", what, "Give its checks a longer deadline")
    within = f" within {deadline:g} s" if deadline else ""
    what = f"candidate {version} did not pass{within}: expected {expectation(check, target.version_id)}; {last_wrong(target, rounds)}"
    if target.version_id and all(each.seen is Seen.ELSEWHERE for each in rounds):
        what += f". No answer ever named it: the header {OVERRIDES} may be lost on the way to {target.url}, or the version reports no id"
    return CheckError(where(target, check), what, f"Look at the logs of {target.worker} and fix it")


def last_wrong(target: Target, rounds: Sequence[Round]) -> str:
    """The last answer that was not right, without secrets, and how many rounds there were."""
    redact, count = Redactor(target.secrets), f"{len(rounds)} {'round' if len(rounds) == 1 else 'rounds'}"
    wrong = [each for each in rounds if each.check]
    # A question that the deadline cut short tells less than the answer before it.
    last = next((each for each in reversed(wrong) if not isinstance(each.answer, TimeoutError)), wrong[-1] if wrong else None)
    if last is None or last.check is None:
        return f"{count}, each of them right"
    if not isinstance(last.answer, Answer):
        return f"after {count} the last wrong answer to {last.check.name} was {redact(error_text(last.answer or TimeoutError()))}"
    why = fault(last.check, last.answer, target.version_id)
    return f"after {count} the last wrong answer to {last.check.name} was {last.answer.summary(redact)} ({redact(why or '')})"
