"""Awaits several calls at once."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")
Other = TypeVar("Other")


async def all_at_once(work: Iterable[Awaitable[T]]) -> list[T]:
    """The results, in order. Raises the first error in that order, once all of them have ended.

    None is cut off: a call that is cancelled while it connects leaves a warning of its own behind on the terminal.
    """
    calls = [asyncio.ensure_future(call) for call in work]
    await asyncio.gather(*calls, return_exceptions=True)
    # A call may also return an error, as a result.
    return [call.result() for call in calls]


async def both(first: Awaitable[T], second: Awaitable[Other]) -> tuple[T, Other]:
    """The results of two calls of different kinds; raises as ``all_at_once`` does."""
    one, other = asyncio.ensure_future(first), asyncio.ensure_future(second)
    await asyncio.gather(one, other, return_exceptions=True)
    return one.result(), other.result()
