"""Imports a program without Python's garbage collector, and without parts of libraries that it never uses."""

import gc
import sys
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


def leave_out_unused() -> None:
    """Leave out httpx's command line, which imports a library for colours and one for 500 languages: 34 ms of processor time of each run.

    httpx takes it for not installed, as it is in many places.
    """
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # how Python says that a module cannot be imported
