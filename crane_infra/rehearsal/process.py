"""Starts the engine as a child process, and ends it with everything that it started.

The engine gives its language host a process group of its own, so ending one group would leave the other running.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crane_infra.programs import end, output_of, signals_noted

_LAST_WORDS_SECONDS, _POLITE_SECONDS, _PAUSE_SECONDS = 10.0, 40.0, 0.02


@dataclass(frozen=True)
class Result:
    """How a run ended: its exit code, what it printed, and the same followed by its errors and warnings."""

    exit: int
    out: str
    output: str


class Child:
    """A command that runs."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start the command in a session of its own, so that Ctrl-C reaches only this process; one that comes meanwhile ends it."""
        with signals_noted() as stops:
            self._process = subprocess.Popen(  # noqa: S603 (the words are ours)
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            if stops:
                self._kill_all()
                end(self._process)

    @property
    def runs(self) -> bool:
        """Whether it is still running."""
        return self._process.poll() is None

    def wait(self, seconds: float | None = None) -> Result:
        """Wait for its end; Ctrl-C, SIGTERM or a time-out kills it first."""
        with signals_noted() as stops:
            try:
                out, err = output_of(self._process, stops, seconds=seconds)
            finally:
                if self.runs:
                    self._kill_all()
                end(self._process)
        return Result(self._process.returncode, out, out + err)

    def kill(self) -> Result:
        """``kill -9`` of it and of all that it started."""
        self._kill_all()
        return self.wait(_LAST_WORDS_SECONDS)

    def end(self) -> None:
        """Ask it to end, as Ctrl-C would, and wait; do nothing if it has ended."""
        if not self.runs:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(_POLITE_SECONDS)

    def _kill_all(self) -> None:
        for pid in [self._process.pid, *descendants(self._process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def run(command: Sequence[str], environ: Mapping[str, str]) -> Result:
    """Run a command to its end."""
    with signals_noted():
        return Child(command, environ).wait()


def happens(what: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is true, at most ``seconds``; returns whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def descendants(pid: int) -> list[int]:
    """The ids of all processes that a process started, directly or not."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    started, queue = list[int](), [pid]
    while queue:
        started_by_this = children.get(queue.pop(), [])
        started += started_by_this
        queue += started_by_this
    return started


def _parents() -> Iterator[tuple[int, int]]:
    """Every process with its parent: from /proc, or from ps where there is none."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout  # noqa: S607
        yield from ((int(child), int(parent)) for child, parent in map(str.split, listed.splitlines()))
        return
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state ppid …"; a name may hold anything, a bracket too.
            yield int(path.parent.name), int(path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
