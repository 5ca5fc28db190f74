"""Pythons that are warm: they have imported what a program or a local cloud imports, and fork for each run.

Each run is a process of its own, with the arguments, environment, folder and standard streams that it was given; it only does not begin with the
imports, which take most of its time, and Pulumi's SDK does not send the engine what it shows with ``--debug`` only. Whoever starts it starts
``command.py`` as Python, which hands everything to ``server.py``, waits, and ends as the process ended. If it is killed, so is the process.

- The program of a run: engine, language host and the script that runs a program are the real ones. PULUMI_PYTHON_CMD tells the language host which
  Python to start. Runs that are interrupted start one of their own, as users do, and so do those of rehearsals that are killed; only what the
  language host asks beforehand, the version and the packages, is answered from what is known. What is frozen or killed is the fork as well. A
  program that a test has changed starts from a Python that has imported the libraries alone.
- The program and the commands of a clone that has a catalog of its own: what is imported are the packages, not crane.
- The commands of ``crane`` in the jobs of a workflow and in rehearsals. Elsewhere tests call ``crane`` in their own process, or start it as a user does.
- The host of the programs with which the stand-in provider is compared with the official one: it imports the whole SDK of Cloudflare's provider.
- A local cloud that a test starts in its own process. What ``crane local up`` and the rehearsals start has a Python of its own.
"""

import atexit
import functools
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from crane_infra.cli.app import COMMANDS as COMMAND_LINE
from tests.repository import ROOT

HERE = Path(__file__).parent


LIBRARIES = (
    "anyio._backends._asyncio",
    "apsw",
    "argparse",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "grpc.experimental",
    "httpcore",
    "httpx",
    "jinja2",
    "pulumi",
    "pydantic",
    "runpy",
    "stamina",
    "yaml",
)
"""What ``pulumi-language-python-exec`` and a program import that is not of this repository: for a program that a test has changed."""
PROGRAM = (*LIBRARIES, "crane_infra.catalog", "crane_infra.program.environment")
"""What ``pulumi-language-python-exec`` and ``__main__.py`` import."""
PACKAGES = (*LIBRARIES, "typer")
"""What the program and the commands of any clone import of others."""
CLOUD = ("local_cloud.server.process", "local_cloud.provider")
HOST = ("crane_infra.imports", "grpc", "pulumi_cloudflare", "pulumi.automation._server", "pulumi.runtime.proto.language_pb2_grpc")
"""What ``tests/local_cloud/provider/program/host.py`` imports."""


COMMANDS = tuple(
    f"crane_infra.cli.{place.partition(':')[0]}" for command in COMMAND_LINE.values() for place in (command.place, *command.apart.values())
)
"""What the commands of ``crane`` import."""


def variables(*modules: str) -> dict[str, str]:
    """What makes the language host start its programs from a Python that has imported these modules, or else this repository's program."""
    return {"PULUMI_PYTHON_CMD": python(*(modules or PROGRAM))}


def own_program() -> dict[str, str]:
    """What makes the language host start its programs from a Python of their own, in the engine's session, and ask the warm one the rest."""
    return {"PULUMI_PYTHON_CMD": own_python()}


def in_checkouts(folder: Path, path: str) -> dict[str, str]:
    """The same for the jobs of a workflow, and for each ``crane`` that they start, by commands in a folder that goes before ``path``.

    A checkout whose program is not a link to that of this repository has a Python of its own for each command, and imports its own program.
    """
    own, crane = (shlex.quote(str(path)) for path in (sys.executable, Path(sys.executable).with_name("crane")))
    write_command(folder / "crane", f'[ -L "$PYTHONPATH/crane_infra" ] && exec {python(*COMMANDS)} {crane} "$@"\nexec {own} {crane} "$@"')
    write_command(folder / "program", f'[ -L crane_infra ] && exec {python(*PROGRAM)} "$@"\nexec {python(*LIBRARIES)} "$@"')
    return {"PULUMI_PYTHON_CMD": str(folder / "program"), "PATH": os.pathsep.join([str(folder), path])}


def environment(folder: Path, *, own: str = "false") -> Path:
    """A virtual environment like that of the tests in which programs and ``crane`` are warm; gives its Python, which is not.

    It is for what starts both from the folder of its own Python. ``own`` is a command of the shell: where it succeeds, a program has a Python of
    its own, as is needed where runs are killed.
    """
    (folder / "bin").mkdir()
    (folder / "lib").symlink_to(Path(sys.prefix) / "lib")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder)
    cold = folder / "bin" / Path(sys.executable).resolve().name
    cold.symlink_to(Path(sys.executable).resolve())
    crane = f'[ "$1" = -c ] && exec {python(*COMMANDS)} "$@"'  # as a rehearsal starts it
    write_command(folder / "bin" / "python", f'{crane}\nexec {shlex.quote(str(cold))} "$@"')
    write_command(folder / "bin" / "python3", f'if {own}; then exec {shlex.quote(str(cold))} "$@"; fi\nexec {python(*PROGRAM)} "$@"')
    return cold


def write_command(path: Path, script: str) -> None:
    """Write a script of the shell that can be started."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o700)


def fork_of(command: int) -> int | None:
    """The process in which the program of a run goes on, by the process that the language host started for it; None for any other process."""
    try:
        return int(Path(python(*PROGRAM)).with_name(str(command)).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


@functools.cache
def own_python() -> str:
    """The command of a Python that begins with its imports; only its version and packages come from a warm one."""
    known = python(*PROGRAM)
    command = Path(known).with_name("own")
    command.write_text(
        f'#!/bin/sh\ncase "$*" in --version|"-m pip list"*) exec {known} "$@";; *) exec {shlex.quote(sys.executable)} "$@";; esac\n'
    )
    command.chmod(0o700)
    return str(command)


@functools.cache
def python(*modules: str) -> str:
    """The command of a Python that has imported these modules. It starts with the first call, and ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    socket, command = folder / "socket", folder / "python"
    starts = shlex.join([sys.executable, "-IS", str(HERE / "command.py"), str(socket), sys.executable])
    version = f"Python {platform.python_version()}"  # the language host asks for it twice a run
    command.write_text(f'#!/bin/sh\n[ "$*" = --version ] && echo {version} && exit\nexec {starts} "$@"\n')
    command.chmod(0o700)
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(socket), *modules],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(server.communicate)  # the end of its standard input ends it
    assert server.stdout
    assert server.stdout.readline(), "the warm Python ended before it was ready"
    return str(command)
