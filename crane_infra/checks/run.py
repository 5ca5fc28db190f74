"""Runs smoke checks against a live worker: repeats each request until the answer is the declared one, or its deadline has passed.

While a version propagates, anything may come: nothing, a 404, an error, an older version, a cached body. Before the deadline none of these is
a failure, and none of them passes. Replies may echo a key, so they are redacted. Neither deploys nor rolls back.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

import httpx

from crane_infra.checks.answer import Answer, expectation, fault
from crane_infra.checks.model import Check
from crane_infra.checks.request import Request, Target, prepare, where
from crane_infra.checks.send import REQUEST_SECONDS, ask, error_text
from crane_infra.errors import CheckError
from crane_infra.redact import Redactor
from crane_infra.tls import trusted

__all__ = ["Passed", "Target", "run_checks", "select"]

_LONGEST_PAUSE = 10.0
_GROWTH = 1.5


@dataclass(frozen=True)
class Passed:
    """A check that passed: after how many tries, and the version id in its reply, if it looks for one."""

    check: str
    tries: int
    version: str | None = None


def select(checks: Iterable[Check], environment: str) -> tuple[Check, ...]:
    """The checks of an environment: those that write only run in staging."""
    return tuple(check for check in checks if environment == "staging" or not check.mutating)


async def run_checks(
    target: Target,
    checks: Sequence[Check],
    *,
    pause: float = 1.0,
    client: httpx.AsyncClient | None = None,
    begins: Callable[[Check], None] | None = None,
) -> tuple[Passed, ...]:
    """Run the checks one after another, those that look for the version first, and return those that passed.

    ``pause`` is the first wait between two tries, in seconds; waits grow to ten seconds and vary by half. ``begins`` hears of each check before
    its first try. Raises CheckError for a check that
    cannot be sent, before anything is sent, and for the first one that has not passed at its deadline.
    """
    redact = Redactor(target.secrets)
    ordered = sorted(checks, key=lambda check: check.version_at is None)
    requests = [prepare(target, check) for check in ordered]
    opened = contextlib.nullcontext(client) if client else httpx.AsyncClient(timeout=REQUEST_SECONDS, verify=trusted())
    async with opened as http:
        passed = []
        for request in requests:
            if begins:
                begins(request.check)
            passed.append(await _poll(target, request, pause, http, redact))
        return tuple(passed)


async def _poll(target: Target, request: Request, pause: float, http: httpx.AsyncClient, redact: Redactor) -> Passed:
    check, started, waits = request.check, monotonic(), _waits(pause)
    last: Answer | str = "none: no try ended in time"
    tries = 0
    while True:
        tries += 1
        left = check.deadline - (monotonic() - started)
        answer = await ask(http, request, min(left, REQUEST_SECONDS))
        if isinstance(answer, Answer) and fault(check, answer, target.version_id) is None:
            return Passed(check.name, tries, target.version_id if check.version_at else None)
        # A try that the deadline cut short tells less than the answer before it.
        if not (isinstance(answer, TimeoutError) and left < REQUEST_SECONDS):
            last = answer if isinstance(answer, Answer) else error_text(answer)
        wait = next(waits)
        if monotonic() - started + wait >= check.deadline:
            raise _too_late(target, check, tries, last, redact)
        await asyncio.sleep(wait)


def _waits(pause: float) -> Iterator[float]:
    for step in itertools.count():
        # Not for security: it keeps parallel runs from sending in step.
        yield min(pause * _GROWTH ** min(step, 20), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311


def _too_late(target: Target, check: Check, tries: int, last: Answer | str, redact: Redactor) -> CheckError:
    came = last.summary(redact) if isinstance(last, Answer) else redact(last)
    why = fault(check, last, target.version_id) if isinstance(last, Answer) else None
    count = f"{tries} {'try' if tries == 1 else 'tries'}"
    what = f"expected {expectation(check, target.version_id)} within {check.deadline:g} s; after {count} the last answer was {came}"
    if why:
        what += f" ({redact(why)})"
    return CheckError(where(target, check), what, f"Look at the logs of {target.worker}, fix it, and deploy again")
