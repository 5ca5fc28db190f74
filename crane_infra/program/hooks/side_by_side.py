"""Runs the checks of several workers side by side, and tells which of them a run waits for."""

from collections.abc import Awaitable, Callable, Collection
from time import monotonic

from crane_infra.at_once import all_at_once
from crane_infra.checks.model import AnyCheck
from crane_infra.migrations.run.state import Progress


async def for_each_worker(workers: Collection[str], writers: Collection[str], check: Callable[[str], Awaitable[int]]) -> dict[str, int]:
    """What ``check`` returns for each worker. Those with checks that write come after the others and one by one: two may use the same rows.

    Raises the first error of the first group, once all of it has ended; of the writers the first error at once.
    """
    readers = [name for name in workers if name not in writers]
    counts = dict(zip(readers, await all_at_once(map(check, readers)), strict=True))
    counts |= {name: await check(name) for name in workers if name in writers}
    return {name: counts[name] for name in workers}


class ChecksUnderWay:
    """The checks of all workers: the progress hears of the one that waits longest."""

    def __init__(self, progress: Progress | None, clock: Callable[[], float] = monotonic) -> None:
        """``clock`` says how late it is, in seconds."""
        self._progress, self._clock = progress, clock
        self._ends: dict[str, tuple[str, float]] = {}
        self._told = ""

    def begins(self, script: str, check: AnyCheck) -> None:
        """This check of a script is asked from now on, and the one before it has passed."""
        self._ends.pop(script, None)
        self._ends[script] = (f"{script}: check {check.name}", self._clock() + check.deadline)
        self._tell()

    def ended(self, script: str) -> None:
        """No check of this script is under way."""
        self._ends.pop(script, None)
        self._tell()

    def _tell(self) -> None:
        what, end = next(iter(self._ends.values()), ("", 0.0))
        if self._progress and what and what != self._told:
            self._progress.begins(what, end - self._clock())
        self._told = what
