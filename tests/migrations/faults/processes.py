"""Real processes that migrate: started, told what to do, held, read, killed.

They are forked from one that has imported everything already, which is what makes a hundred rounds bearable.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from local_cloud.daemon import Running
from tests.migrations.faults import program

PATIENCE = 600.0


def until(there: Callable[[], object], what: str) -> None:
    """Look until it is there; fail the test where that never comes."""
    end = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {PATIENCE:g} s")
        time.sleep(0.01)


@dataclass
class Migrator:
    """One process; ``said`` is what it has said so far."""

    process: BaseProcess
    line: Connection
    output: list[str] = field(default_factory=list)

    def begin(self, database: str, name: str) -> None:
        """Let it migrate a database."""
        self.line.send((database, name))

    def go_on(self) -> None:
        """Let it go on, where it is held."""
        self.line.send(None)

    def hears(self, *words: str) -> str:
        """Listen until it says one of these words; a process that ends before fails the test."""
        while self.line.poll(PATIENCE):
            try:
                self.output.append(self.line.recv())
            except EOFError:
                break
            if any(word in self.output[-1] for word in words):
                return self.output[-1]
        return pytest.fail(f"it did not say {' or '.join(words)}:\n" + "\n".join(self.output))

    def ends(self) -> str:
        """Listen until it is done with a database, and give its last word."""
        return self.hears(program.WELL, "error: ")

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        self.process.kill()
        self.process.join()

    def leaves(self) -> int | None:
        """Tell it no more, and wait for its exit code."""
        self.line.close()
        self.process.join(PATIENCE)
        return self.process.exitcode

    def applied(self, name: str) -> list[str]:
        """Which files of a database it says it has applied."""
        start = f"{name}: applied "
        return [line.removeprefix(start) for line in self.output if line.startswith(start)]


@contextmanager
def migrators(cloud: Running, folder: Path, count: int = 1, words: str = "") -> Iterator[list[Migrator]]:
    """Start so many processes on the files of a folder; nothing of them is left at the end of the block."""
    environ = {
        "CLOUDFLARE_ACCOUNT_ID": cloud.account_id,
        "CLOUDFLARE_API_TOKEN": cloud.token,
        "CLOUDFLARE_BASE_URL": cloud.api_url,
    }
    running = [_start(environ, folder, words) for _ in range(count)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.line.close()


def _start(environ: dict[str, str], folder: Path, words: str) -> Migrator:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([program.__name__])
    ours, theirs = context.Pipe()
    process = context.Process(target=program.serve, args=(theirs, environ, folder, words), daemon=True)
    process.start()
    theirs.close()
    return Migrator(process, ours)
