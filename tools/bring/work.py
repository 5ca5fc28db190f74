"""Runs the programs that take long, and reports every 20 seconds that they still run.

Their own output goes to a log file. When this process stops, they stop too.
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
    """Print a line of progress to standard error; standard output is for the result."""
    sys.stderr.write(f"engine: {line}\n")
    sys.stderr.flush()


def run(command: Sequence[str | Path], *, log: Path, cwd: Path, env: Mapping[str, str], limit: float | None = None) -> None:
    """Run a program to its end, and append its output to the log.

    Raises WayError if it cannot start, fails (with its last line), or takes more than ``limit`` seconds.
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
    """The last line that is not blank in the log after a position, cut to 300 characters."""
    lines = log.read_bytes()[began:].decode("utf-8", "replace").splitlines()
    return next((" ".join(line.split())[:SHOWN] for line in reversed(lines) if line.strip()), "")


def _wait(process: subprocess.Popen[bytes], limit: float | None) -> int:
    began = time.monotonic()
    while True:
        try:
            return process.wait(timeout=HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - began
            if limit is not None and elapsed > limit:
                raise WayError(f"it had not finished after {elapsed:.0f} s") from None
            say(f"  still running, {elapsed:.0f} s so far")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and all processes that it started. It leads its own process group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
