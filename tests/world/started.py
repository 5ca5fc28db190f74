"""Starts the real engine and lets it be held, frozen, interrupted and killed, with everything that it started.

The engine gives each of its plugins a process group of its own, so a run is what shares its session, and the fork of a warm Python in which its
program goes on. Nothing here waits for a fixed time: it looks until what it waits for is there, and fails the test where that never comes.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local_cloud.faults.client import Fault
from tests.world import warm
from tests.world.engine import SURE, Result
from tests.world.world import World

PATIENCE = 600.0
PROGRAM = "pulumi-language-python-exec"


def until(there: Callable[[], object], what: str) -> None:
    """Look until it is there."""
    end = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {PATIENCE:g} s")
        time.sleep(0.02)


@dataclass
class Started:
    """A run of the engine that goes on."""

    engine: subprocess.Popen[bytes]
    file: Path
    forks: dict[int, str] = field(default_factory=dict)
    """The forks of a warm Python that were seen, with the command lines for which they go on."""

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self.file.read_text(encoding="utf-8", errors="replace")

    def processes(self, words: str = "") -> list[int]:
        """The engine and all that it started, with these words in the command line; the dead that nobody has buried do not count."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True).stdout
        rows = (line.split(None, 2) for line in listed.splitlines())
        living = {int(pid): command for pid, state, command in rows if not state.startswith("Z")}
        session = {pid: command for pid, command in living.items() if _session(pid) == self.engine.pid}
        self.forks |= {fork: command for pid, command in session.items() if (fork := warm.fork_of(pid))}
        forks = {pid: command for pid, command in self.forks.items() if "/world/warm/server.py " in living.get(pid, "")}
        return [pid for pid, command in (session | forks).items() if words in command]

    def reaches(self, fault: Fault) -> None:
        """Wait until the run meets the fault, which is to hold it."""
        until(lambda: fault.fired or self.engine.poll() is not None, "the call that is to be held")
        assert fault.fired, f"the run ended without the call that is to be held\n{self.output}"

    def freeze(self) -> None:
        """Stop it, all of it, as it is."""
        _signal(self.processes(), signal.SIGSTOP)

    def freeze_engine(self) -> None:
        """Stop the engine alone: it saves nothing from now on, what it started goes on."""
        _signal([self.engine.pid], signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        _signal(self.processes(), signal.SIGCONT)

    def interrupt(self, *signals: signal.Signals) -> None:
        """Send signals to the engine's process group, as a terminal does, each once the one before was heard."""
        for count, sent in enumerate(signals):
            self.hears(*signals[:count])
            os.killpg(self.engine.pid, sent)

    def hears(self, *signals: signal.Signals) -> None:
        """Wait until the engine has answered to these signals."""
        until(lambda: self.output.count("cancelling.") >= len(signals), "an answer to the signal")

    def kill_engine(self) -> None:
        """``kill -9`` of the engine alone."""
        self.engine.kill()
        self.engine.wait()

    def kill(self) -> None:
        """``kill -9`` of the engine and of all that it started, and wait until they are gone."""
        while left := self.processes():
            _signal(left, signal.SIGKILL)
            self.engine.wait()
        assert self.processes() == []

    def end(self) -> Result:
        """Wait for its end."""
        code = self.engine.wait(PATIENCE)
        return Result(code, self.output, self.output)


@contextmanager
def started(world: World, stack: str, *words: str, own_program: bool = False) -> Iterator[Started]:
    """Start an update of a stack; nothing of it is left at the end of the block.

    ``own_program``: it is not a fork of a warm Python. A run that the engine is to interrupt needs one, since no signal reaches a fork.
    """
    programs = warm.own_program() if own_program else warm.variables()
    file = world.project.folder / f"{stack}.output"
    with file.open("wb") as output:
        engine = subprocess.Popen(
            ["pulumi", "up", "--stack", stack, *SURE, "--suppress-progress", *words, "--non-interactive", "--color", "never"],
            cwd=world.project.folder,
            env={**world.engine.environ, **programs},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    run = Started(engine, file)
    try:
        yield run
    finally:
        run.kill()
        world.engine.output.append(run.output)


def _signal(processes: list[int], sent: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, sent)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
