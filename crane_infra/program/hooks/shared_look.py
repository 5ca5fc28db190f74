"""One look for all the hooks that ask for it while an earlier one is under way.

The hooks of many workers ask the same at the same time. Each gets the answer to a look that began after it had asked, never an older one.
"""

import asyncio
from collections.abc import Awaitable, Callable


class SharedLook:
    """A look that raises where something is wrong."""

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._under_way: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None

    async def __call__(self) -> None:
        """Wait for the next look to end. Raises what it raises."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._begin(self._under_way))
        asked = self._next
        await asyncio.wait({asked})  # one that stops waiting does not end the look of the others
        asked.result()

    async def _begin(self, before: asyncio.Future[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        self._under_way, self._next = self._next, None
        await self._look()
