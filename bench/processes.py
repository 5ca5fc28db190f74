"""The processor time of a command and of everything that it starts, by process: read from /proc every few milliseconds (Linux only).

A process that lives for less than one look counts with its parent.
"""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOOK_SECONDS = 0.005
_TICKS = os.sysconf("SC_CLK_TCK")
_MS = 1000


@dataclass
class Process:
    """One process: what it runs, the processor milliseconds of its own, and those of its ended children."""

    pid: int
    command: str
    own: float = 0.0
    ended: float = 0.0


@dataclass
class Watched:
    """The processes of a command by their ids, as they were last seen."""

    seen: dict[int, Process] = field(default_factory=dict)

    def of(self, *words: str) -> float:
        """The processor milliseconds of the processes whose command has one of these words."""
        return sum(process.own for process in self.seen.values() if any(word in process.command for word in words))

    def look(self, root: int) -> None:
        """Look at a process and all below it."""
        for pid in line(root):
            process = read(pid)
            if process is not None:
                process.command = process.command or getattr(self.seen.get(pid), "command", "")
                self.seen[pid] = process


def run(command: list[str], environ: Mapping[str, str]) -> Watched:
    """Run a command to its end. Raises CalledProcessError if it fails."""
    watched, ended = Watched(), threading.Event()
    with subprocess.Popen(command, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:  # noqa: S603

        def look() -> None:
            while not ended.wait(_LOOK_SECONDS):
                watched.look(process.pid)

        looking = threading.Thread(target=look)
        looking.start()
        output, _ = process.communicate()
        ended.set()
        looking.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return watched


def line(pid: int) -> Iterator[int]:
    """A process, its children, and theirs; those that end meanwhile are left out."""
    yield pid
    try:
        children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from line(child)


def read(pid: int) -> Process | None:
    """Read one process; None if it has ended."""
    try:
        figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return None
    user, system, ended_user, ended_system = (int(figure) / _TICKS * _MS for figure in figures[11:15])
    return Process(pid, command, user + system, ended_user + ended_system)
