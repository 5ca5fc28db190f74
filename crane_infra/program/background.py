"""Runs a coroutine beside the program."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def begin(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Run a coroutine beside the program, which itself runs on Pulumi's event loop; ``result()`` waits for its end."""
    thread = ThreadPoolExecutor(max_workers=1)
    begun = thread.submit(asyncio.run, work)
    thread.shutdown(wait=False)
    return begun


def blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end from the program."""
    return begin(work).result()
