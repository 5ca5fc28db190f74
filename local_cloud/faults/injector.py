"""The rules in force: they decide which call of which route gets a fault, and perform.py carries it out.

A rule counts calls from when it was made, in the order in which they reach the route; calls refused for their token or account do not
reach it. Routes are the templates of the REST API; the names of their parameters do not matter.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local_cloud.faults.model import Drop, FailStatement, FewerResults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_cloud.faults.model import Rule, Then


@dataclass(frozen=True)
class DueFault:
    """The fault that a call gets; ``over`` is set when the fault ends."""

    then: Then
    over: asyncio.Event


@dataclass
class _Counted:
    rule: Rule
    route: str
    seen: int = 0
    fired: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def is_due(self, route: str, body: bytes) -> bool:
        if route != self.route or self.rule.saying.encode() not in body:
            return False
        self.seen += 1
        return self.rule.nth <= self.seen < self.rule.nth + self.rule.times


class Injector:
    """The faults and latencies in force."""

    def __init__(self, routes: Iterable[str]) -> None:
        """Know the routes, so that a misspelled one is refused instead of ignored."""
        self._known = {_plain(route) for route in routes}
        self._rules: dict[int, _Counted] = {}
        self._numbers = itertools.count(1)
        self._latencies: dict[str | None, float] = {}

    def add(self, rule: Rule) -> int:
        """Put a rule in force and give its number; raises ValueError for one that could never happen."""
        route = self._route(rule.route)
        if isinstance(rule.then, FailStatement | FewerResults) and not route.endswith(("/query", "/raw")):
            raise ValueError(f"{rule.route}: its reply has no results of statements")
        if rule.saying and rule.then == Drop("before-read"):
            raise ValueError("saying: a call that is dropped before it is read has no text")
        number = next(self._numbers)
        self._rules[number] = _Counted(rule, route)
        return number

    def fired(self, number: int) -> int | None:
        """Give how often a rule has fired; None when it is not in force."""
        counted = self._rules.get(number)
        return None if counted is None else counted.fired

    def end(self, number: int) -> int | None:
        """End a rule and give how often it fired; None when it was not in force."""
        counted = self._rules.pop(number, None)
        if counted is None:
            return None
        counted.over.set()
        return counted.fired

    def drops_unread(self, route: str) -> bool:
        """Whether a call of this route may be dropped before it is read; other calls count once they have been read as a whole."""
        rules = [counted.rule for counted in self._rules.values() if counted.route == _plain(route)]
        return any(rule.then == Drop("before-read") for rule in rules) and not any(rule.saying for rule in rules)

    def step(self, route: str, body: bytes = b"") -> DueFault | None:
        """Count a call and give the fault it gets, from the oldest rule that is due; ``body`` is empty when the call may be dropped unread."""
        due = [counted for counted in self._rules.values() if counted.is_due(_plain(route), body)]
        if not due:
            return None
        due[0].fired += 1
        return DueFault(due[0].rule.then, due[0].over)

    def slow(self, route: str | None, seconds: float) -> float:
        """Make each call of a route (None: of every route) wait ``seconds``; give the latency before. Raises ValueError for an unknown route."""
        key = None if route is None else self._route(route)
        before = self._latencies.get(key, 0.0)
        self._latencies[key] = seconds
        return before

    def latency(self, route: str) -> float:
        """Give the seconds that a call of this route waits: the route's own plus those for every route."""
        return self._latencies.get(_plain(route), 0.0) + self._latencies.get(None, 0.0)

    def reset(self) -> None:
        """End every rule and latency."""
        for number in tuple(self._rules):
            self.end(number)
        self._latencies.clear()

    def _route(self, route: str) -> str:
        if _plain(route) not in self._known:
            raise ValueError(f"no such route: {route}")
        return _plain(route)


def _plain(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", route)
