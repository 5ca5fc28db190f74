"""What the versions of workers answered, as the GraphQL API counts it: requests and exceptions, in memory, since the cloud started.

An answer with status 500 that a worker gave itself is a success there: only what a worker threw is an error.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT = 100_000
SUCCESS, EXCEPTION = "success", "scriptThrewException"


@dataclass(frozen=True)
class _Invocation:
    at: float
    script: str
    version: str
    status: str


class Invocations:
    """The last invocations of all workers, oldest first."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """``clock`` gives seconds since 1970."""
        self._clock = clock
        self._kept: deque[_Invocation] = deque(maxlen=_KEPT)

    def record(self, script: str, version: str, *, threw: bool) -> None:
        """Count one request."""
        self._kept.append(_Invocation(self._clock(), script, version, EXCEPTION if threw else SUCCESS))

    def groups(self, script: str, since: float, until: float, *, lag: float, one_in: int) -> Counter[tuple[str, str]]:
        """How many requests of a script there were between two moments, by version and status.

        The last ``lag`` seconds are not there yet; without a lag all are, also where the clock was put back meanwhile. Of each group one in ``one_in`` is seen and stands for as many.
        """
        until = min(until, self._clock() - lag) if lag else until
        seen = Counter((each.version, each.status) for each in self._kept if each.script == script and since <= each.at <= until)
        return Counter({group: count // one_in * one_in for group, count in seen.items() if count >= one_in})
