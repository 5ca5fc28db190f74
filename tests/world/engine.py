"""Runs the real engine in a folder, and keeps what it said."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT
from tests.world import key_manager

SURE = ("--yes", "--skip-preview")
# How the engine itself ends its list of errors.
LAST_WORDS = {"update failed"}
Json = dict[str, Any]


def search_path() -> str:
    """PATH with this Python and the engine that the repository brought first."""
    return os.pathsep.join([str(Path(sys.executable).parent), str(ROOT / ".crane" / "engine" / "bin"), os.environ.get("PATH", "")])


def require_engine() -> None:
    """Fail, not skip, on a machine without the engine: these tests mean nothing without it."""
    for program in ("pulumi", "pulumi-language-python"):
        if shutil.which(program, path=search_path()) is None:
            pytest.fail(f"{program}: neither on PATH nor in .crane/engine/bin. Run `make engine`.")


def clean_environment() -> dict[str, str]:
    """This machine without accounts and plugins. Bytecode is wanted: without it the Cloudflare SDK takes seconds to import."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "CLOUDFLARE_", "PYTHON"))}
    return {**kept, "PULUMI_HOME": os.environ["PULUMI_HOME"]}


def managed_environment() -> dict[str, str]:
    """The same, with the key manager of the tests."""
    return {**clean_environment(), **key_manager.variables()}


@dataclass(frozen=True)
class Result:
    """How a run of the engine ended, and all that it said."""

    exit: int
    output: str
    out: str

    @property
    def errors(self) -> list[str]:
        """What it listed as errors, each once, without the engine's own last word."""
        lines = (line.strip() for line in self.output.splitlines())
        found = dict.fromkeys(line.removeprefix("error: ") for line in lines if line.startswith("error: "))
        return [line for line in found if line not in LAST_WORDS]

    def line(self, words: str) -> str:
        """The first line with these words."""
        return next(
            (line.strip() for line in self.output.splitlines() if words in line), f"expected '{words}' in the output, got:\n{self.output}"
        )


@dataclass
class Engine:
    """The engine in one folder with one environment; ``output`` is all that its runs printed."""

    folder: Path
    environ: Mapping[str, str]
    output: list[str] = field(default_factory=list)
    seconds: float = 600
    warm: Mapping[str, str] = field(default_factory=dict)
    """What starts its programs from a Python that has imported what they import (``tests/world/warm``)."""

    def run(self, *words: str, **variables: str) -> Result:
        """Run the engine with these variables besides its own; one that hangs fails the test."""
        ended = subprocess.run(
            ["pulumi", *words, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env={**self.environ, **self.warm, **variables},
            capture_output=True,
            text=True,
            timeout=self.seconds,
            check=False,
        )
        self.output.append(ended.stdout + ended.stderr)
        return Result(ended.returncode, ended.stdout + ended.stderr, ended.stdout)

    def well(self, *words: str, **variables: str) -> str:
        """Run the engine, which has to succeed, and give what it printed."""
        ended = self.run(*words, **variables)
        assert ended.exit == 0, ended.output
        return ended.out
