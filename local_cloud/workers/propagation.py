"""The time that a deployment takes to reach the edge: until then the edge goes on with the former one.

It knows deployments by worker and lives in memory: a restart has propagated everything. Nothing here waits; whoever asks gives the lag of
this moment, so setting the lag to 0 lets everything through at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.store import Body


@dataclass(frozen=True)
class _Step:
    deployment: str
    made_at: float
    former: Body | None


class Propagation:
    """Which deployments have not reached the edge, oldest first for each worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds that never go back."""
        self._clock = clock
        self._steps: dict[str, list[_Step]] = {}

    def begin(self, worker: str, deployment: str, former: Body | None) -> None:
        """A deployment was made; the edge goes on with the former one."""
        self._steps.setdefault(worker, []).append(_Step(deployment, self._clock(), former))

    def settle(self, lag: float) -> bool:
        """Let through what is older than ``lag`` seconds; tell whether there was any."""
        now, before = self._clock(), self._steps
        pending = {worker: [step for step in steps if now - step.made_at < lag] for worker, steps in before.items()}
        self._steps = {worker: steps for worker, steps in pending.items() if steps}
        return self._steps != before

    def forget(self, worker: str, deployment: str | None = None) -> None:
        """Drop a deployment that came to nothing, or all of a worker that is gone."""
        steps = [step for step in self._steps.pop(worker, []) if deployment is not None and step.deployment != deployment]
        if steps:
            self._steps[worker] = steps

    def seen(self, worker: str, newest: Body | None) -> Body | None:
        """Give the deployment that the edge sees; ``newest`` is the last one made."""
        steps = self._steps.get(worker)
        return steps[0].former if steps else newest

    def formers(self, worker: str) -> list[Body]:
        """Give the deployments that the edge sees, or will see on the way to the newest."""
        return [step.former for step in self._steps.get(worker, []) if step.former is not None]
