"""Runs smoke checks against a live worker: repeats each until it passes, or its deadline has passed.

While a version propagates, anything may come: nothing, a 404, an error, an older version, a cached body. Before the deadline none of these is
a failure, and none of them passes. Replies may echo a key, so they are redacted. Neither deploys nor rolls back.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import NamedTuple

import httpx

from crane_infra.checks.answer import expectation
from crane_infra.checks.attempt import Attempt, judged
from crane_infra.checks.execute import execute
from crane_infra.checks.expected import Environment
from crane_infra.checks.follow import follow
from crane_infra.checks.model import AnyCheck, Check, CommandCheck, StepsCheck
from crane_infra.checks.request import Route, Target, UnsendableError, built, require_sendable, where
from crane_infra.checks.send import REQUEST_SECONDS, ask
from crane_infra.errors import CheckError
from crane_infra.tls import trusted

__all__ = ["Passed", "Target", "run_checks", "select", "try_once"]

_LONGEST_PAUSE = 10.0
_GROWTH = 1.5


class Passed(NamedTuple):
    """A check that passed: after how many tries, and the version id in its reply, if it looks for one."""

    check: str
    tries: int
    version: str | None = None


def select(checks: Iterable[AnyCheck], environment: Environment) -> tuple[AnyCheck, ...]:
    """The checks of an environment, with what it expects: those that write only run in staging."""
    return tuple(check.in_environment(environment) for check in checks if environment == "staging" or not check.mutating)


async def run_checks(
    target: Target,
    checks: Sequence[AnyCheck],
    *,
    pause: float = 1.0,
    client: httpx.AsyncClient | None = None,
    begins: Callable[[AnyCheck], None] | None = None,
) -> tuple[Passed, ...]:
    """Run the checks one after another, those that look for the version first, and return those that passed.

    ``pause`` is the first wait between two tries, in seconds; waits grow to ten seconds and vary by half. ``begins`` hears of each check before
    its first try. Raises CheckError for the checks that
    cannot be sent, before anything is sent, and for the first one that has not passed at its deadline.
    """
    require_sendable(target, checks)
    opened = contextlib.nullcontext(client) if client else httpx.AsyncClient(timeout=REQUEST_SECONDS, verify=trusted())
    async with opened as http:
        passed = []
        for check in in_order(checks):
            if begins:
                begins(check)
            passed.append(await _poll(target, check, pause, http))
        return tuple(passed)


def in_order(checks: Iterable[AnyCheck]) -> list[AnyCheck]:
    """The checks with those that look for the version first: else the others would pass on a version that is about to be replaced."""
    return sorted(checks, key=lambda check: not check.names_version)


async def try_once(http: httpx.AsyncClient, route: Route, check: AnyCheck, seconds: float) -> Attempt:
    """Try a check of any kind once, for at most so many seconds. Clean-up may take longer."""
    if isinstance(check, StepsCheck):
        return await follow(route, check, http, seconds)
    if not isinstance(check, Check):
        return await execute(route, check, seconds)
    redact, version = route.target.redact, route.target.version_id
    try:
        request = built(route, check)
    except UnsendableError as error:
        expected = redact(expectation(check, version))
        return Attempt(passed=False, expected=expected, came="none", why=str(error), declared=expected)
    return judged(check, await ask(http, request, seconds), version, redact)


async def _poll(target: Target, check: AnyCheck, pause: float, http: httpx.AsyncClient) -> Passed:
    started, waits = monotonic(), _waits(pause)
    last: Attempt | None = None
    tries = 0
    while True:
        tries += 1
        left = check.deadline - (monotonic() - started)
        attempt = await try_once(http, Route(target), check, left)
        if attempt.passed:
            return Passed(check.name, tries, target.version_id if check.names_version else None)
        # A try that the deadline cut short tells less than the answer before it; the first one of a command tells what it wrote.
        if not (attempt.ran_out and left < REQUEST_SECONDS) or (last is None and isinstance(check, CommandCheck)):
            last = attempt
        wait = next(waits)
        if monotonic() - started + wait >= check.deadline:
            raise _too_late(target, check, tries, last)
        await asyncio.sleep(wait)


def _waits(pause: float) -> Iterator[float]:
    for step in itertools.count():
        # Not for security: it keeps parallel runs from sending in step.
        yield min(pause * _GROWTH ** min(step, 20), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311


def _too_late(target: Target, check: AnyCheck, tries: int, last: Attempt | None) -> CheckError:
    nothing = expectation(check, target.version_id) if isinstance(check, Check) else "it to pass"
    expected, came = (last.expected, last.described) if last else (nothing, "none: no try ended in time")
    count = f"{tries} {'try' if tries == 1 else 'tries'}"
    what = f"expected {expected} within {check.deadline:g} s; after {count} the last answer was {came}"
    return CheckError(where(target, check), what, f"Look at the logs of {target.worker}, fix it, and deploy again")
