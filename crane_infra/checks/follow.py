"""Sends the steps of a check once, one after another, and cleans up behind them.

Clean-up runs whenever a step was sent: also after a wrong answer, after the deadline, and where the run is cancelled. It has time of its own.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

import httpx
from pydantic import JsonValue

from crane_infra.checks.answer import Answer, expectation
from crane_infra.checks.attempt import Attempt, judged
from crane_infra.checks.places import Nothing, value_at
from crane_infra.checks.request import Route, UnsendableError, built
from crane_infra.checks.send import REQUEST_SECONDS, ask
from crane_infra.checks.steps import Step, StepsCheck
from crane_infra.checks.values import names_in
from crane_infra.redact import Redactor

_SHORTEST_HIDDEN = 8


@dataclass
class _Try:
    """One try: the values that it has so far, and what hides those that an answer gave."""

    route: Route
    check: StepsCheck
    http: httpx.AsyncClient
    values: dict[str, JsonValue]
    fresh: Mapping[str, str]
    taken: dict[str, str] = field(default_factory=dict)
    has_sent: bool = False

    @property
    def redact(self) -> Redactor:
        target = self.route.target
        return Redactor({**self.taken, **target.secrets}) if self.taken else target.redact

    async def step(self, step: Step, seconds: float) -> Attempt:
        """Send one step and take its values."""
        try:
            asked = step.filled(self.values)
            require_whole(asked)
            request = built(self.route, asked)
        except UnsendableError as error:
            return Attempt(passed=False, expected="a request that can be sent", came="none", why=str(error))
        self.has_sent = True
        answer = await ask(self.http, request, seconds)
        if isinstance(answer, Answer):
            # Before anything is said of the answer: what it gives may be a token.
            self._take(step, answer)
        attempt = judged(asked, answer, self.route.target.version_id, self.redact)
        lacking = next((f"{place} is missing" for name, place in step.take.items() if name not in self.values), None)
        if attempt.passed and lacking and isinstance(answer, Answer):
            came, bare = answer.summary(self.redact), f"{attempt.bare} with another body"
            return replace(attempt, passed=False, came=came, why=lacking, bare=bare)
        return attempt

    def at(self, place: str, step: Step, attempt: Attempt) -> Attempt:
        """The attempt with the place of the step among the others; what is declared has names where values were sent."""
        where, target = f" at {place} ({step.shown})", self.route.target
        declared = target.redact(expectation(step, target.version_id))
        return replace(attempt, expected=attempt.expected + where, declared=declared + where)

    def _take(self, step: Step, answer: Answer) -> None:
        reply = answer.json
        for name, place in step.take.items():
            value = reply if isinstance(reply, Nothing) else value_at(place, reply)
            if not isinstance(value, Nothing):
                self.values[name] = value
                if isinstance(value, str) and len(value) >= _SHORTEST_HIDDEN:
                    self.taken[name] = value


def require_whole(step: Step) -> None:
    """Check that no value became a part of the path that leads out of it. Raises UnsendableError."""
    if {".", ".."} & set(step.path.partition("?")[0].split("/")):
        message = "a part of its path is . or .., which would be another path"
        raise UnsendableError(message)


async def follow(route: Route, check: StepsCheck, http: httpx.AsyncClient, seconds: float) -> Attempt:
    """Send the steps up to the first whose answer is not right, then clean up."""
    fresh = {name: f"crane-{secrets.token_hex(6)}" for name in check.fresh}
    current = _Try(route, check, http, dict(fresh), fresh)
    last, cleaned = None, None
    try:
        last = await _steps(current, seconds)
    finally:
        if current.has_sent:
            cleaned = await _clean_up(current)
    if last.passed and cleaned:
        return replace(cleaned, ran_out=False)  # clean-up has time of its own, which no deadline cuts short
    ids = f"; with {', '.join(f'{name} {value}' for name, value in fresh.items())}" if fresh and not last.passed else ""
    left = f"; clean-up failed too, so what it made may be left: {cleaned.described}" if cleaned else ""
    return replace(last, why=f"{last.why}{ids}{left}".removeprefix("; "))


async def _steps(current: _Try, seconds: float) -> Attempt:
    ends = monotonic() + seconds
    attempt = Attempt(passed=True, expected="", came="")
    for number, step in enumerate(current.check.steps, 1):
        attempt = await current.step(step, max(0.0, ends - monotonic()))
        if not attempt.passed:
            return current.at(f"step {number}", step, attempt)
    return attempt


async def _clean_up(current: _Try) -> Attempt | None:
    """Send every step of the clean-up that has its values; returns the first that failed."""
    failed = None
    ends = monotonic() + REQUEST_SECONDS
    for number, step in enumerate(current.check.cleanup, 1):
        if names_in(step) <= set(current.values):
            attempt = await current.step(step, max(0.0, ends - monotonic()))
            if not attempt.passed and failed is None:
                failed = current.at(f"clean-up {number}", step, attempt)
    return failed
