"""A machine for ``tools/engine.py``: a prepared PATH, a folder to bring an engine into, and the script as a process."""

from __future__ import annotations

import contextlib
import http.server
import os
import select
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pins import PINNED
from tests.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = ROOT / "tools" / "engine.py"
ENOUGH_SECONDS = 60

GO = """#!{python}
# A Go that needs no compiler: what it "builds" is the program that stands in for the pinned engine.
import os, pathlib, signal, sys

calls = pathlib.Path({folder!r})
with (calls / "go-calls").open("a") as log:
    print(*sys.argv[1:], os.environ["GOTOOLCHAIN"], os.getcwd(), file=log)
if sys.argv[1] == "list":
    print("v{version}", calls / "sdk")
    sys.exit()
target = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
target.parent.mkdir(exist_ok=True)
target.write_text("#!/bin/sh\\necho v{version}\\n")
target.chmod(0o755)
{then}
"""


@dataclass(frozen=True)
class Machine:
    """A folder of programs that is the whole PATH, and the folder an engine is brought into."""

    programs: Path
    into: Path
    installer: str

    def program(self, name: str, text: str) -> Path:
        """Put a program on the PATH."""
        path = self.programs / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def pulumi(self, version: str) -> None:
        """Put an engine of a version on the PATH, with its language host."""
        self.program("pulumi", f"#!/bin/sh\necho {version}\n")
        self.program("pulumi-language-python", "#!/bin/sh\n")
        self.program("pulumi-language-python-exec", "#!/bin/sh\n")

    def go(self, then: str = "") -> None:
        """Put a Go on the PATH that goes on with some Python after it wrote a program."""
        script = self.programs.parent / "sdk/python/cmd/pulumi-language-python-exec"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text("#!/usr/bin/env python\n", encoding="utf-8")
        script.chmod(0o444)
        self.program("go", GO.format(version=PINNED["pulumi"], python=sys.executable, folder=str(self.programs.parent), then=then))

    def go_calls(self) -> list[str]:
        """Return what Go was asked to do, a line a call."""
        log = self.programs.parent / "go-calls"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    @contextlib.contextmanager
    def started(self, *flags: str) -> Iterator[subprocess.Popen[str]]:
        """Start the script; at the end of the block it is told to stop, should it still run."""
        command: list[str | Path] = [sys.executable, SCRIPT, "--into", self.into, "--installer-url", self.installer, *flags]
        environment = {"PATH": str(self.programs), "HOME": str(self.programs.parent)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run the script to its end."""
        with self.started(*flags) as process:
            out, err = process.communicate(timeout=ENOUGH_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def brought(self) -> list[str]:
        """Return what lies in and beside the folder, but for log and lock."""
        near = self.into.parent
        files = (path.relative_to(near).as_posix() for path in near.rglob("*") if not path.is_dir()) if near.exists() else ()
        return sorted(path for path in files if path not in {"engine.log", "engine.lock"})


@pytest.fixture
def closed_url() -> str:
    """Return an address on this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def machine(tmp_path: Path, closed_url: str) -> Machine:
    """Return a machine with nothing on its PATH, where the installer cannot be reached."""
    programs = tmp_path / "programs"
    programs.mkdir()
    return Machine(programs=programs, into=tmp_path / "private" / "engine", installer=closed_url)


@dataclass
class Site:
    """A web server whose only page is the installer."""

    url: str
    page: bytes = b""


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve an installer on a free port of this machine."""
    served = Site(url="")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(served.page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Gate:
    """A named pipe between a test and a program that the script starts, so that nobody has to sleep."""

    path: Path

    def wait(self) -> str:
        """Return what a program writes; fail when none does so in time."""
        pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        try:
            ready, _, _ = select.select([pipe], [], [], ENOUGH_SECONDS)
            assert ready, "no program came to the gate"
            return os.read(pipe, 100).decode()
        finally:
            os.close(pipe)

    def open(self) -> None:
        """Let a program that reads go on."""
        self.path.write_text("go on", encoding="utf-8")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Return a gate where a program tells the test that it has come."""
    os.mkfifo(tmp_path / "gate")
    return Gate(tmp_path / "gate")


@pytest.fixture
def second_gate(tmp_path: Path) -> Gate:
    """Return a gate where a program is held."""
    os.mkfifo(tmp_path / "second-gate")
    return Gate(tmp_path / "second-gate")
