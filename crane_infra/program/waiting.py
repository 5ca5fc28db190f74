"""Says what a run waits for while a call of the provider, or a part of a step of ours, takes long. Knows no resource.

The provider repeats a call that Cloudflare's API fails, for about three minutes and within one step of the engine, which prints nothing
meanwhile. A step of ours polls checks, and waits for imports and for other runs.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TypeVar

Reason = Callable[[], Awaitable[str | None]]
"""Asks why a call may take long: what a read of the same account answers, where that fails too."""
FIRST_SECONDS, EACH_SECONDS = 10.0, 30.0
"""Of a call of the provider."""
PART_FIRST_SECONDS, PART_EACH_SECONDS = 2.0, 10.0
"""Of a part of a step."""
T = TypeVar("T")


async def _within(ended: asyncio.Future[None], seconds: float) -> bool:
    done, _ = await asyncio.wait({ended}, timeout=seconds)
    return bool(done)


@dataclass(frozen=True)
class Watch:
    """How a call is watched: who hears of it, how to wait for its end, and what time it is, in seconds."""

    say: Callable[[str], None]
    within: Callable[[asyncio.Future[None], float], Awaitable[bool]] = _within
    clock: Callable[[], float] = time.monotonic

    async def over(self, ended: asyncio.Future[None], what: str, reason: Reason) -> None:
        """Say that a call goes on after 10 s, and again every 30 s until it has ended."""
        began = self.clock()
        for seconds in chain([FIRST_SECONDS], repeat(EACH_SECONDS)):
            if await self.within(ended, seconds):
                return
            why = None
            with contextlib.suppress(Exception):  # the reason is a courtesy
                why = await reason()
            if ended.done():
                return
            self.say(waits(what, self.clock() - began, why))

    async def during(self, work: Awaitable[T], activity: "Activity") -> T:
        """Await ``work``, and say meanwhile which part of it takes longer than 2 s, and again every 10 s."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watching = asyncio.ensure_future(self._tell(ended, activity))
        try:
            return await work
        finally:
            ended.set_result(None)
            with contextlib.suppress(Exception):  # what is said is a courtesy
                await watching

    async def _tell(self, ended: asyncio.Future[None], activity: "Activity") -> None:
        while not await self.within(ended, PART_FIRST_SECONDS):
            if line := activity.due():
                self.say(line)


@dataclass
class Activity:
    """What a step does at the moment. The step tells it, and a watch asks what is due to be said."""

    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _what: str = ""
    _seconds: float | None = None
    _began: float = 0.0
    _said: float | None = None

    def passes(self, text: str) -> None:
        """Say that something went as planned."""
        self._what = ""
        self.say(text)

    def begins(self, what: str, seconds: float | None = None) -> None:
        """The step waits for this from now on, for so many seconds at most."""
        self._what, self._seconds, self._began, self._said = what, seconds, self.clock(), None

    def due(self) -> str | None:
        """The line that is to be said now; None where nothing takes long, or where it was said a moment ago."""
        now = self.clock()
        waited = now - self._began
        if not self._what or waited < PART_FIRST_SECONDS or (self._said is not None and now - self._said < PART_EACH_SECONDS):
            return None
        self._said = now
        left = f", {self._seconds - waited:.0f} s more at most" if self._seconds is not None and self._seconds > waited else ""
        return f"{self._what}: waiting, {waited:.0f} s so far{left}"


def waits(what: str, seconds: float, why: str | None) -> str:
    """The line about a call that goes on."""
    answers = f" Right now a read of the same account fails too: {why}." if why else ""
    return (
        f"{what}: still waiting for Cloudflare's API after {seconds:.0f} s. "
        f"The provider repeats a call that the API fails, for about three minutes.{answers}"
    )
