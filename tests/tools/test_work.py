"""A program that ``tools/engine.py`` runs, while a signal stops the tool at each step of ``subprocess``."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

import psutil
import pytest

from tests.repository import ROOT
from tests.signals import no_waiting_for_ever, send_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEPS = 60  # from the start of the program to the third look whether it has ended


class StoppedError(Exception):
    """What the handler of a signal raises."""


def _stop(_number: int, _frame: object) -> NoReturn:
    raise StoppedError


@pytest.fixture
def raising_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give SIGTERM a handler that raises, as the tool does; a test that hangs ends after a minute."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    before = signal.signal(signal.SIGTERM, _stop)
    with no_waiting_for_ever():
        yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("raising_handlers")
@pytest.mark.parametrize("step", range(STEPS))
def test_a_signal_ends_the_program_at_whichever_step_it_arrives(tmp_path: Path, step: int) -> None:
    from bring.work import run  # noqa: PLC0415 - the fixture puts its folder on the path

    before = psutil.Process().children()
    send_at(step)
    with pytest.raises(StoppedError):
        run(["/bin/sleep", "600"], log=tmp_path / "log", cwd=tmp_path, env=os.environ)
    assert psutil.Process().children() == before
