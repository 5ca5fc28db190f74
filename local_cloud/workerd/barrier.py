"""A barrier: requests pass side by side, and a reconfiguration waits until none is under way, so it cuts off no reply."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Traffic:
    """Counts the requests under way, and can hold back new ones."""

    def __init__(self, patience: float = 10.0) -> None:
        """Wait at most ``patience`` seconds for requests under way."""
        self._patience = patience
        self._passing = 0
        self._open, self._idle = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._idle.set()

    async def enter(self) -> None:
        """Wait until requests may pass, then count one; ``leave`` must follow."""
        await self._open.wait()
        self._passing += 1
        self._idle.clear()

    def leave(self) -> None:
        """End a request."""
        self._passing -= 1
        if not self._passing:
            self._idle.set()

    @contextlib.asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """Hold back new requests during the block, after waiting at most ``patience`` seconds for those under way."""
        self._open.clear()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self._patience)
            yield
        finally:
            self._open.set()
