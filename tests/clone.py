"""A clone of its own for the command line: the same files, and the engine and the runtime that were brought already."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.repository import ROOT

CRANE = Path(sys.executable).parent / "crane"
Run = Callable[..., subprocess.CompletedProcess[str]]


def bare_clone(folder: Path) -> Path:
    """Make a folder what commands take for a clone: they leave their files there, and not where another test that runs at the same time does."""
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "crane_infra").symlink_to(ROOT / "crane_infra")
    (folder / ".crane").mkdir()
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that looks like a clone; whatever it started is stopped at the end."""
    folder = bare_clone(tmp_path_factory.mktemp("clone"))
    shutil.copytree(ROOT / "workers", folder / "workers")
    for name in ("engine", "runtime"):
        (ROOT / ".crane" / name).mkdir(parents=True, exist_ok=True)
        (folder / ".crane" / name).symlink_to(ROOT / ".crane" / name)
    yield folder
    subprocess.run([CRANE, "local", "down"], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def run(clone: Path) -> Run:
    """Run a command in the clone; without the variables that a test run may have."""

    def running(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | environ
        return subprocess.run(words, cwd=clone, env=ours, capture_output=True, text=True, timeout=900, check=False)

    return running
