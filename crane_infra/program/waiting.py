"""Says what a run waits for while a call of the provider takes long. Knows no resource.

The provider repeats a call that Cloudflare's API fails, for about three minutes and within one step of the engine, which prints nothing
meanwhile.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain, repeat

Reason = Callable[[], Awaitable[str | None]]
"""Asks why a call may take long: what a read of the same account answers, where that fails too."""
FIRST_SECONDS, EACH_SECONDS = 10.0, 30.0


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


def waits(what: str, seconds: float, why: str | None) -> str:
    """The line about a call that goes on."""
    answers = f" Right now a read of the same account fails too: {why}." if why else ""
    return (
        f"{what}: still waiting for Cloudflare's API after {seconds:.0f} s. "
        f"The provider repeats a call that the API fails, for about three minutes.{answers}"
    )
