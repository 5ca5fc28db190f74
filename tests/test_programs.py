"""A signal ends a program that crane runs, at whichever moment it comes: nothing is left running, and nobody waits for ever."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import NoReturn

import psutil
import pytest

from crane_infra import programs
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.rehearsal import process

SLEEPS = ("/bin/sleep", "600")
ENOUGH_SECONDS = 60
STEPS = 40  # of subprocess, from the start of the program to the second look whether it has ended
WORK: dict[str, Callable[[], object]] = {
    "a program": lambda: programs.run(SLEEPS),
    "a program that may take so long": lambda: programs.run(SLEEPS, seconds=ENOUGH_SECONDS),
    "a child of a rehearsal": lambda: process.run(SLEEPS, os.environ),
}


def _stuck(_number: int, _frame: object) -> NoReturn:
    raise AssertionError("it waits for ever")


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SIGTERM is Ctrl-C, and what it ends has no time for last words; a test that hangs ends after a minute."""
    monkeypatch.setattr(programs, "_LAST_WORDS_SECONDS", 0)
    before = signal.signal(signal.SIGALRM, _stuck)
    signal.alarm(ENOUGH_SECONDS)
    with sigterm_as_ctrl_c():
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


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("work", WORK)
def test_a_signal_ends_it_at_whichever_step_it_comes(work: str, step: int) -> None:
    before = psutil.Process().children()
    send_at(step)
    with pytest.raises(KeyboardInterrupt):
        WORK[work]()
    assert [child for child in psutil.Process().children() if child not in before and child.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("look_seconds", [0.001, ENOUGH_SECONDS], ids=["that it takes late", "at once"])
def test_a_program_gets_its_input_and_says_how_it_ended(monkeypatch: pytest.MonkeyPatch, look_seconds: float) -> None:
    monkeypatch.setattr(programs, "_LOOK_SECONDS", look_seconds)
    ended = programs.run(("/bin/sh", "-c", "cat; echo wrong >&2; exit 3"), given="x" * 300_000)
    assert (ended.returncode, len(ended.stdout), ended.stderr) == (3, 300_000, "wrong\n")


def test_a_program_need_not_take_its_input() -> None:
    assert programs.run(("/bin/true",), given="x" * 300_000).returncode == 0


@pytest.mark.usefixtures("handlers")
def test_a_program_that_takes_too_long_is_ended() -> None:
    before = psutil.Process().children()
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run(SLEEPS, seconds=0.2)
    assert psutil.Process().children() == before


def test_a_thread_runs_one_and_leaves_the_handlers_of_signals_alone() -> None:
    handlers = [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)]
    with ThreadPoolExecutor() as threads:
        assert threads.submit(programs.run, ("/bin/echo", "done")).result(ENOUGH_SECONDS).stdout == "done\n"
    assert [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)] == handlers
