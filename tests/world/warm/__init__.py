"""A Python that is warm: it has imported what the program imports, and forks for each run.

The engine, its language host and the script that runs a program are the real ones, and each run of the program is a process of its own with the
arguments, environment, folder and standard streams that the language host gave it. One thing differs: the process does not begin with a second of
imports, because it is a fork of one that has done them. PULUMI_PYTHON_CMD tells the language host to start ``command.py`` as its Python, which
hands everything to ``server.py``, waits, and ends as the program ended. If it is killed, so is the program.

Runs that are interrupted, frozen or killed, rehearsals and workflows start a Python of their own, as users do.
"""

import atexit
import functools
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.repository import ROOT

HERE = Path(__file__).parent


@functools.cache
def variables() -> dict[str, str]:
    """What makes the language host start its programs from the warm Python of this process, which starts with the first call."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    socket, command = folder / "socket", folder / "python"
    command.write_text(
        f'#!/bin/sh\nexec {shlex.join([sys.executable, "-IS", str(HERE / "command.py"), str(socket), sys.executable])} "$@"\n'
    )
    command.chmod(0o700)
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(socket)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(server.communicate)  # the end of its standard input ends it
    assert server.stdout
    assert server.stdout.readline(), "the warm Python ended before it was ready"
    return {"PULUMI_PYTHON_CMD": str(command)}
