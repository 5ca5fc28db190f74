"""Ends what a test run started and left: local clouds, engines, workers of xdist. It acts when the run is over, however the run ended.

Everything that a run starts inherits the run's id by an environment variable. A process of its own holds the other end of a pipe of the run; when
the pipe closes, the run has ended or was killed, and whatever still bears its id is ended by its process id.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import uuid4

import psutil

RUN = "CRANE_TEST_RUN"
_PATIENCE_SECONDS = 10


def watch() -> None:
    """Give this run an id and start its reaper. This process alone holds the pipe, until it ends."""
    os.environ[RUN] = uuid4().hex
    read, _ = os.pipe()
    os.posix_spawn(
        sys.executable,
        [sys.executable, __file__, os.environ[RUN]],
        {name: value for name, value in os.environ.items() if name != RUN},
        file_actions=[(os.POSIX_SPAWN_DUP2, read, 0)],
        setsid=True,
    )
    os.close(read)


def left_by(run: str) -> Iterator[psutil.Process]:
    """The living processes that bear the id of a run."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN) == run and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def end(run: str) -> None:
    """Ask what a run left to end, and kill what does not within 10 s."""
    processes = list(left_by(run))
    for process in processes:
        _send(process.terminate)
    for process in psutil.wait_procs(processes, timeout=_PATIENCE_SECONDS)[1]:
        _send(process.kill)
    for process in left_by(run):  # what started in the meantime
        _send(process.kill)


def _send(signal: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        signal()


if __name__ == "__main__":
    sys.stdin.read()
    end(sys.argv[1])
