"""Runs work in a process of its own that can be killed: a fork of this one, so nothing is imported again."""

import contextlib
import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.errors import CraneError
from local_cloud.faults.client import Fault
from tests.world.started import until

SECONDS = 600.0


@dataclass
class Forked:
    """A process that goes on."""

    process: BaseProcess
    file: Path

    def reaches(self, *faults: Fault) -> None:
        """Wait until it meets all these faults, which are to hold it."""
        until(lambda: all(fault.fired for fault in faults) or not self.process.is_alive(), "the calls that are to be held")
        assert self.process.is_alive(), f"it ended without the calls that are to be held\n{self.output}"

    def ends_by(self, sent: signal.Signals) -> str:
        """Send it a signal, wait for its end, and give what it said."""
        assert self.process.pid is not None
        os.kill(self.process.pid, sent)
        self.process.join(SECONDS)
        assert self.process.exitcode is not None, "it goes on"
        return self.output

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self.file.read_text(encoding="utf-8")


@contextmanager
def forked(work: Callable[[], object], folder: Path) -> Iterator[Forked]:
    """Begin this work, with what it prints in a file of ``folder``; nothing of it is left at the end of the block."""
    file = folder / "forked.txt"
    file.write_text("", encoding="utf-8")
    process = multiprocessing.get_context("fork").Process(target=_in_child, args=(work, file), daemon=True)
    process.start()
    try:
        yield Forked(process, file)
    finally:
        process.kill()
        process.join()


def _in_child(work: Callable[[], object], file: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with file.open("w", encoding="utf-8", buffering=1) as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            with sigterm_as_ctrl_c():
                work()
        except CraneError as error:
            sys.stdout.write(f"error: {error}\n")
        except KeyboardInterrupt:
            sys.stdout.write("interrupted\n")
        sys.stdout.flush()
