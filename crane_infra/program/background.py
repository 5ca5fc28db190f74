"""Runs work on a thread of its own, since the program itself runs on Pulumi's event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def begin(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Start a coroutine; ``result()`` waits until it is done."""
    return begin_call(lambda: asyncio.run(work))


def begin_call(work: Callable[[], Result]) -> Future[Result]:
    """Start a function that blocks; ``result()`` waits until it is done."""
    thread = ThreadPoolExecutor(max_workers=1)
    future = thread.submit(work)
    thread.shutdown(wait=False)
    return future


def blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine and wait until it is done."""
    return begin(work).result()
