"""Runs the programs that take long, and reports every 20 seconds that they still run.

Their own output goes to a log file. When a signal stops this process, they stop too. An exception from a signal's handler can leave ``Popen``
half started, or its lock held for ever, so a signal is only noted while a program runs, and handled once the program has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bring.found import WayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HEARTBEAT_SECONDS = 20
LOOK_SECONDS = 0.1
SHOWN = 300
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(line: str) -> None:
    """Print a line of progress to standard error; standard output is for the result."""
    sys.stderr.write(f"engine: {line}\n")
    sys.stderr.flush()


def run(command: Sequence[str | Path], *, log: Path, cwd: Path, env: Mapping[str, str], limit: float | None = None) -> None:
    """Run a program to its end, and append its output to the log.

    Raises WayError if it cannot start, fails (with its last line), or takes more than ``limit`` seconds.
    """
    with log.open("ab") as out, _noted() as stops:
        began = out.tell()
        try:
            process = subprocess.Popen(  # noqa: S603 - commands are written in this package
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise WayError(f"{command[0]} cannot be started ({error.strerror})") from error
        try:
            code = _wait(process, limit, stops)
        finally:
            _end(process)
    if code != 0:
        raise WayError(last_line(log, began) or f"{command[0]} ended with code {code}")


def last_line(log: Path, began: int) -> str:
    """The last line that is not blank in the log after a position, cut to 300 characters."""
    lines = log.read_bytes()[began:].decode("utf-8", "replace").splitlines()
    return next((" ".join(line.split())[:SHOWN] for line in reversed(lines) if line.strip()), "")


@contextlib.contextmanager
def _noted() -> Iterator[list[int]]:
    """Note the signals that stop this process, and handle the first one after the block. A signal that is ignored stays ignored."""
    stops: list[int] = []
    heeded = [stop for stop in STOPS if signal.getsignal(stop) not in (signal.SIG_IGN, None)]
    before = {stop: signal.signal(stop, lambda number, _: stops.append(number)) for stop in heeded}
    try:
        yield stops
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)
        if stops:
            signal.raise_signal(stops[0])


def _wait(process: subprocess.Popen[bytes], limit: float | None, stops: Sequence[int]) -> int | None:
    """Wait for the end of a program; None if a signal came first."""
    began = told = time.monotonic()
    while not stops:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=LOOK_SECONDS)
        now = time.monotonic()
        if limit is not None and now - began > limit:
            raise WayError(f"it had not finished after {now - began:.0f} s")
        if now - told > HEARTBEAT_SECONDS:
            say(f"  still running, {now - began:.0f} s so far")
            told = now
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and all processes that it started. It leads its own process group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
