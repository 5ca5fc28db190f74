"""Runs the long programs, and says that they still run.

Their own output goes to a log file. It prevents two things: a silent terminal that looks like a hang, and a program left
running after this one was told to stop.
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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HEARTBEAT_SECONDS = 20
SHOWN = 300


def say(line: str) -> None:
    """Tell the person who waits; standard output stays free for the result."""
    sys.stderr.write(f"engine: {line}\n")
    sys.stderr.flush()


def run(command: Sequence[str | Path], *, log: Path, cwd: Path, env: Mapping[str, str], limit: float | None = None) -> None:
    """Run a program to its end, its output appended to the log.

    Raises WayError with the program's last line when it fails, cannot start, or takes more than ``limit`` seconds.
    """
    with log.open("ab") as out:
        began = out.tell()
        try:
            process = subprocess.Popen(  # noqa: S603 - commands are written in this package
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            raise WayError(f"{command[0]} cannot be started ({error.strerror})") from error
        try:
            code = _wait(process, limit)
        finally:
            _end(process)
    if code != 0:
        raise WayError(last_line(log, began) or f"{command[0]} ended with code {code}")


def last_line(log: Path, began: int) -> str:
    """Return the last line that says something, from what was logged after a position."""
    said = log.read_bytes()[began:].decode("utf-8", "replace").splitlines()
    return next((" ".join(line.split())[:SHOWN] for line in reversed(said) if line.strip()), "")


def _wait(process: subprocess.Popen[bytes], limit: float | None) -> int:
    began = time.monotonic()
    while True:
        try:
            return process.wait(timeout=HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - began
            if limit is not None and elapsed > limit:
                raise WayError(f"it was not done after {elapsed:.0f} s") from None
            say(f"  still at it, {elapsed:.0f} s so far")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, with all that it started; it leads a process group of its own."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
