"""Faults on purpose: fail the n-th call of a route, and a log of every call.

Calls are counted from when the rule was made. Route names are the templates of the REST API; the names of their parts do not matter.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crane_infra.local.envelope import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEPT_CALLS = 10_000


@dataclass
class _Rule:
    route: str
    nth: int
    status: int
    code: int
    message: str
    times: int
    seen: int = 0

    def hits(self, route: str) -> bool:
        if route != self.route:
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Injector:
    """The rules in force and the calls seen."""

    def __init__(self, routes: Iterable[str]) -> None:
        """Know the routes, so that a misspelled one is refused and not silently ignored."""
        self._known = {_plain(route) for route in routes}
        self._rules: list[_Rule] = []
        self.calls: deque[dict[str, Any]] = deque(maxlen=_KEPT_CALLS)

    def fail(self, wanted: dict[str, Any]) -> None:
        """Add a rule; a malformed one raises ValueError."""
        route, nth, status, times = _plain(str(wanted.get("route"))), wanted.get("nth", 1), wanted.get("status"), wanted.get("times", 1)
        if route not in self._known:
            raise ValueError(f"no such route: {wanted.get('route')}")
        if not (isinstance(nth, int) and isinstance(times, int) and isinstance(status, int)) or min(nth, times) < 1:
            raise ValueError("nth and times are numbers from 1, status is a number")
        code, message = int(wanted.get("code", 10000)), str(wanted.get("message", "injected"))
        self._rules.append(_Rule(route, nth, status, code, message, times))

    def reset(self) -> None:
        """Forget every rule and call."""
        self._rules.clear()
        self.calls.clear()

    def step(self, route: str) -> None:
        """Count a call; raise the injected refusal if one is due."""
        hits = [rule for rule in self._rules if rule.hits(_plain(route))]
        if hits:
            raise Refusal(hits[0].status, hits[0].code, hits[0].message)

    def log(self, method: str, path: str, route: str, status: int) -> None:
        """Remember a call."""
        self.calls.append({"method": method, "path": path, "route": route, "status": status})


def _plain(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", route)
