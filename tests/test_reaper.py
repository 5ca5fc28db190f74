"""A test run that is ended leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from tests.reaper import RUN, left_by
from tests.repository import ROOT

pytestmark = pytest.mark.cloud

PATIENCE_SECONDS = 120.0
SUITE = "tests/local_cloud/server/test_refusals.py"


def until(there: Callable[[], object]) -> None:
    """Look until it is there."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def clouds(run: str) -> list[psutil.Process]:
    """The local clouds that a run started."""
    return [process for process in left_by(run) if "local_cloud.server.serve" in process.cmdline()]


def id_of(child: psutil.Process) -> str:
    """The id of the run that a process is part of."""
    return str(child.environ().get(RUN, ""))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_run_that_is_ended_leaves_no_process_behind(sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", SUITE]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    suite = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    main, mine = psutil.Process(suite.pid), os.environ[RUN]
    until(lambda: any(id_of(child) not in ("", mine) for child in main.children()))
    run = next(own for child in main.children() if (own := id_of(child)) not in ("", mine))
    until(lambda: clouds(run))
    suite.send_signal(sent)
    suite.wait()
    until(lambda: not list(left_by(run)))
