"""A signal ends a program that crane runs, at whichever moment it comes: nothing is left running, and nobody waits for ever."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from crane_infra import programs
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.rehearsal import process
from tests.signals import ENOUGH_SECONDS, no_waiting_for_ever, send_at

SLEEPS = ("/bin/sleep", "600")
STEPS = 40  # of subprocess, from the start of the program to the second look whether it has ended
WORK: dict[str, Callable[[], object]] = {
    "a program": lambda: programs.run(SLEEPS),
    "a program that may take so long": lambda: programs.run(SLEEPS, seconds=ENOUGH_SECONDS),
    "a program that was begun before": lambda: programs.finish(programs.begin(SLEEPS)),
    "a child of a rehearsal": lambda: process.run(SLEEPS, os.environ),
}


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SIGTERM is Ctrl-C, and what it ends has no time for last words; a test that hangs ends after a minute."""
    monkeypatch.setattr(programs, "_LAST_WORDS_SECONDS", 0)
    with no_waiting_for_ever(), sigterm_as_ctrl_c():
        yield


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
    with pytest.raises(subprocess.TimeoutExpired):
        programs.finish(programs.begin(SLEEPS), seconds=0.2)
    assert psutil.Process().children() == before


def test_a_thread_runs_one_and_leaves_the_handlers_of_signals_alone() -> None:
    handlers = [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)]
    with ThreadPoolExecutor() as threads:
        assert threads.submit(programs.run, ("/bin/echo", "done")).result(ENOUGH_SECONDS).stdout == "done\n"
    assert [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)] == handlers
