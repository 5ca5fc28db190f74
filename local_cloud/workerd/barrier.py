"""A barrier: requests pass side by side, and a reconfiguration waits until none is under way, so that it cuts off no reply."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Traffic:
    """Who passes and who waits."""

    def __init__(self, patience: float = 10.0) -> None:
        """Wait at most ``patience`` seconds for requests under way."""
        self._patience = patience
        self._passing = 0
        self._open, self._idle = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._idle.set()

    async def enter(self) -> None:
        """Wait until the way is open and pass; ``leave`` must follow."""
        await self._open.wait()
        self._passing += 1
        self._idle.clear()

    def leave(self) -> None:
        """Be through."""
        self._passing -= 1
        if not self._passing:
            self._idle.set()

    @contextlib.asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """Hold back new requests and wait for those under way; one that never ends is given up after a while."""
        self._open.clear()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self._patience)
            yield
        finally:
            self._open.set()
