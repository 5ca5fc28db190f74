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
        """Kill until none is left: each may start another meanwhile, and one whose parent has ended is nobody's descendant."""
        while left := _living(self._process.pid):
            for pid in left:
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
    return _descendants(pid, list(_processes()))


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    state: str


def _descendants(pid: int, processes: Sequence[_Process]) -> list[int]:
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    started, queue = list[int](), [pid]
    while queue:
        started_by_this = children.get(queue.pop(), [])
        started += started_by_this
        queue += started_by_this
    return started


def _living(leader: int) -> list[int]:
    """What runs of a session and of its leader's descendants; one that only waits to be looked at does not run."""
    processes = list(_processes())
    below = {leader, *_descendants(leader, processes)}
    return [each.pid for each in processes if not each.state.startswith("Z") and (each.pid in below or _session(each.pid) == leader)]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _processes() -> Iterator[_Process]:
    """Every process: from /proc, or from ps where there is none."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout  # noqa: S607
        for pid, parent, state in map(str.split, listed.splitlines()):
            yield _Process(int(pid), int(parent), state)
        return
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state ppid …"; a name may hold anything, a bracket too.
            state, parent = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            yield _Process(int(path.parent.name), int(parent), state)
