"""Imports a program without Python's garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Run a block of imports without the garbage collector: what they create lives until the end, so looking for garbage in it is lost time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
