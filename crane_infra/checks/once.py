"""Tries every check of a worker a few times, where nothing has to propagate first: one that fails hides no other."""

import asyncio
from collections.abc import Iterable

import httpx

from crane_infra.checks.model import AnyCheck
from crane_infra.checks.request import Route, Target, faults_of
from crane_infra.checks.results import CheckResult
from crane_infra.checks.run import in_order, try_once

TRIES = 3
_PAUSE = 0.3


async def try_each(
    http: httpx.AsyncClient, worker: str, target: Target, checks: Iterable[AnyCheck], *, pause: float = _PAUSE
) -> tuple[CheckResult, ...]:
    """Try each check until it passes, at most three times with ``pause`` seconds between; ``worker`` is the name that the results show."""
    return tuple([await _result(http, worker, target, check, pause) for check in in_order(checks)])


async def _result(http: httpx.AsyncClient, worker: str, target: Target, check: AnyCheck, pause: float) -> CheckResult:
    if faults := [fault.what for fault in faults_of(target, check)]:
        return CheckResult(worker, check.name, passed=False, expected="a check that can run", came="; ".join(faults))
    attempt = await try_once(http, Route(target), check, check.deadline)
    for _ in range(TRIES - 1):
        if attempt.passed:
            break
        await asyncio.sleep(pause)
        attempt = await try_once(http, Route(target), check, check.deadline)
    return CheckResult(worker, check.name, attempt.passed, attempt.declared, attempt.bare)
