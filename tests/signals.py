"""Sends a signal to a test at one step of ``subprocess``, and ends a test that waits for ever."""

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENOUGH_SECONDS = 60


@contextmanager
def no_waiting_for_ever() -> Iterator[None]:
    """Fail what takes more than a minute."""
    before = signal.signal(signal.SIGALRM, _stuck)
    signal.alarm(ENOUGH_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def send_at(step: int) -> None:
    """Send SIGTERM to this process at one step of ``subprocess``, counted from the one that starts a program."""
    steps = itertools.count(0)
    started = False

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal started
        if frame.f_code.co_filename != subprocess.__file__:
            return
        started = started or (event == "c_return" and getattr(argument, "__name__", "") == "fork_exec")
        if started and next(steps) == step:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGTERM)

    sys.setprofile(look)


def _stuck(_number: int, _frame: object) -> NoReturn:
    raise AssertionError("it waits for ever")
