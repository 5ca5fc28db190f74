"""Awaits several calls at once."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def all_at_once(work: Iterable[Awaitable[T]]) -> list[T]:
    """The results, in order. Raises the first error in that order, once all of them have ended.

    None is cut off: a call that is cancelled while it connects leaves a warning of its own behind on the terminal.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
