"""A program that ``tools/engine.py`` runs, while a signal stops the tool at each step of ``subprocess``."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import psutil
import pytest

from tests.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

ENOUGH_SECONDS = 60
STEPS = 60  # from the start of the program to the third look whether it has ended


class StoppedError(Exception):
    """What the handler of a signal raises."""


class StuckError(Exception):
    """The tool waits for ever."""


def _stop(_number: int, _frame: object) -> NoReturn:
    raise StoppedError


def _stuck(_number: int, _frame: object) -> NoReturn:
    raise StuckError


@pytest.fixture
def raising_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give SIGTERM a handler that raises, as the tool does; a test that hangs ends after a minute."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _stop), signal.SIGALRM: signal.signal(signal.SIGALRM, _stuck)}
    signal.alarm(ENOUGH_SECONDS)
    yield
    signal.alarm(0)
    for number, handler in before.items():
        signal.signal(number, handler)


def _signal_at(step: int) -> None:
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


@pytest.mark.usefixtures("raising_handlers")
@pytest.mark.parametrize("step", range(STEPS))
def test_a_signal_ends_the_program_at_whichever_step_it_arrives(tmp_path: Path, step: int) -> None:
    from bring.work import run  # noqa: PLC0415 - the fixture puts its folder on the path

    before = psutil.Process().children()
    _signal_at(step)
    with pytest.raises(StoppedError):
        run(["/bin/sleep", "600"], log=tmp_path / "log", cwd=tmp_path, env=os.environ)
    assert psutil.Process().children() == before
