"""Runs other programs, and ends them at Ctrl-C and SIGTERM, at whichever moment these come.

The exception of a signal's handler can leave ``Popen`` half started, with a program that nobody ends. So a signal is only noted while a program
starts and runs, and is handled once it has ended.
"""

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import IO

_STOPS = (signal.SIGINT, signal.SIGTERM)
_LOOK_SECONDS, _LAST_WORDS_SECONDS = 0.1, 0.25


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: str | None = None,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with ``given`` as its input, and return how it ended and what it printed.

    Raises OSError where it cannot start, TimeoutExpired where it takes more than ``seconds``.
    """
    with signals_noted() as stops:
        process = _start(command, cwd, env, None if given is None else subprocess.PIPE)
        try:
            if given is not None and process.stdin:
                _give(process.stdin, given)
                process.stdin = None
            return _ended(process, stops, seconds)
        finally:
            end(process)


def begin(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a program for ``finish`` to wait for. Raises OSError where it cannot start."""
    with signals_noted() as stops:
        process = _start(command, None, env, None)
        if stops:
            end(process)
    return process


def finish(process: subprocess.Popen[str], seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Wait for a program that was begun, and return how it ended and what it printed.

    Raises TimeoutExpired where it takes more than ``seconds`` from now on.
    """
    with signals_noted() as stops:
        try:
            return _ended(process, stops, seconds)
        finally:
            end(process)


@contextlib.contextmanager
def signals_noted() -> Iterator[Sequence[int]]:
    """Note Ctrl-C and SIGTERM during the block, and handle the first one after it. One that is ignored stays ignored."""
    stops: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # signals are handled in that one alone
        yield stops
        return
    heeded = [stop for stop in _STOPS if signal.getsignal(stop) not in (signal.SIG_IGN, None)]
    before = {stop: signal.signal(stop, lambda number, _: stops.append(number)) for stop in heeded}
    try:
        yield stops
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)
        if stops:
            signal.raise_signal(stops[0])


def output_of(process: subprocess.Popen[str], stops: Sequence[int], seconds: float | None = None) -> tuple[str, str]:
    """Wait for a program and return what it printed; nothing where a signal comes first. Raises TimeoutExpired after ``seconds``."""
    ends = None if seconds is None else monotonic() + seconds
    while not stops:
        try:
            return process.communicate(timeout=_LOOK_SECONDS if ends is None else max(0.0, min(_LOOK_SECONDS, ends - monotonic())))
        except subprocess.TimeoutExpired:
            if ends is not None and monotonic() >= ends:
                raise
    return "", ""


def end(process: subprocess.Popen[str]) -> None:
    """End a program that still runs, and read no more of it. One that got the same Ctrl-C from the terminal has a moment to end by itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_LAST_WORDS_SECONDS)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def _start(command: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, stdin: int | None) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=env, stdin=stdin, stdout=pipe, stderr=pipe, text=True)  # noqa: S603 - the words are ours


def _ended(process: subprocess.Popen[str], stops: Sequence[int], seconds: float | None) -> subprocess.CompletedProcess[str]:
    out, err = output_of(process, stops, seconds)
    if stops:
        end(process)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _give(pipe: IO[str], given: str) -> None:
    """Write the input of a program beside the wait for its output: a ``communicate`` that timed out forgets the rest of the input."""

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), pipe:  # it may end without reading all
            pipe.write(given)

    threading.Thread(target=write, daemon=True).start()
