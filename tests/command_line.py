"""Runs ``crane`` in this process: the same entry point as on the command line, without a second in which a new process imports it again.

What it reads of a stack is read once for as long as no file of the backend changes (``pulumi_reads.py``).
"""

import asyncio
import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from unittest import mock

from crane_infra import pulumi_cli
from crane_infra.checks import run
from crane_infra.cli import main as entry
from tests.pulumi_reads import ask_once


def crane(*words: str, environ: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment in this folder; what it prints and its exit code come back."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _in(cwd),
        mock.patch.dict(os.environ, environ, clear=True),
        mock.patch.object(sys, "argv", ["crane", *words]),
        mock.patch.object(pulumi_cli, "ask_pulumi", ask_once),
        mock.patch.object(entry, "ask_ahead"),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = _exit_code()
    return subprocess.CompletedProcess(["crane", *words], code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def checks_without_pauses() -> Iterator[None]:
    """Let the checks in this process count each pause between two tries as time that has passed, without waiting for it."""
    skipped = 0.0

    async def skip(seconds: float) -> None:
        nonlocal skipped
        skipped += seconds
        await asyncio.sleep(0)

    def now() -> float:
        return monotonic() + skipped

    with (
        mock.patch.object(run, "monotonic", now),
        mock.patch.object(run, "asyncio", SimpleNamespace(sleep=skip)),
    ):
        yield


def _exit_code() -> int:
    try:
        entry.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
