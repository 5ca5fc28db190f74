"""The time that a deployment takes to reach the edge: until then the edge keeps serving the former one.

It keeps deployments by worker, in memory: after a restart everything has arrived. Nothing here waits: callers pass the current lag, so
setting the lag to 0 lets everything arrive at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.store import Body


@dataclass(frozen=True)
class _Pending:
    deployment: str
    made_at: float
    former: Body | None


class Propagation:
    """Which deployments have not reached the edge, oldest first for each worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never decrease."""
        self._clock = clock
        self._pending: dict[str, list[_Pending]] = {}

    def begin(self, worker: str, deployment: str, former: Body | None) -> None:
        """Note a new deployment; the edge keeps serving the former one."""
        self._pending.setdefault(worker, []).append(_Pending(deployment, self._clock(), former))

    def settle(self, lag: float) -> bool:
        """Let deployments older than ``lag`` seconds arrive; True when there were any."""
        now, before = self._clock(), self._pending
        remaining = {worker: [pending for pending in waiting if now - pending.made_at < lag] for worker, waiting in before.items()}
        self._pending = {worker: waiting for worker, waiting in remaining.items() if waiting}
        return self._pending != before

    def forget(self, worker: str, deployment: str | None = None) -> None:
        """Forget a deployment that failed, or all deployments of a worker that was deleted."""
        waiting = [pending for pending in self._pending.pop(worker, []) if deployment is not None and pending.deployment != deployment]
        if waiting:
            self._pending[worker] = waiting

    def seen(self, worker: str, newest: Body | None) -> Body | None:
        """Give the deployment that the edge serves; ``newest`` is the last one made."""
        waiting = self._pending.get(worker)
        return waiting[0].former if waiting else newest

    def formers(self, worker: str) -> list[Body]:
        """Give the former deployments that the edge serves now, or will serve before the newest."""
        return [pending.former for pending in self._pending.get(worker, []) if pending.former is not None]
