"""The Makefile: what it says of itself, and what it says to a machine without Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pins import PINNED
from tests.repository import ROOT

MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make on this machine")


def make(*arguments: str, at: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make on its own, not as a part of the make that may run these tests."""
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "UV"}
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    return subprocess.run([str(MAKE), *arguments], cwd=at, env=environment, capture_output=True, text=True, check=False)


def test_help_lists_every_command_and_is_what_make_alone_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    commands = set(phony[1].split()) - {"python"}
    result = make()
    assert {line.split()[1] for line in result.stdout.splitlines()} == commands
    assert make("help").stdout == result.stdout


@pytest.mark.parametrize("target", ["engine", "setup"])
def test_a_machine_without_a_new_enough_python_is_told_so_in_one_line(tmp_path: Path, target: str) -> None:
    for name in ("Makefile", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    result = make(target, f"PYTHON={old}", at=tmp_path)
    assert result.returncode != 0
    assert result.stderr.splitlines()[0] == (
        f"{old}: Python 3.11 or newer is needed. Install it, or name one: make PYTHON=python3.13 {target}"
    )
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "pyproject.toml", "python3", "uv.lock"]


def test_the_quick_check_runs_the_pure_tests_and_starts_no_engine() -> None:
    planned = make("-n", "quick").stdout
    assert '-m "not engine and not cloud and not npm"' in planned
    assert all(word in planned for word in ("ruff check", "ruff format --check", "mypy", "lint-imports"))
    assert "engine.py" not in planned


@pytest.mark.parametrize("target", ["quick", "test", "unit"])
def test_what_pytest_is_to_do_can_be_given_to_make(target: str) -> None:
    (line,) = (line for line in make("-n", target, "ARGS=-k gate").stdout.splitlines() if "bin/pytest" in line)
    assert "-k gate" in line


def test_the_newest_sdks_come_into_an_environment_of_their_own() -> None:
    planned = make("-n", "newest").stdout
    assert "UV_PROJECT_ENVIRONMENT=.crane/newest" in planned
    assert "sync --quiet --locked" in planned
    assert (
        "--python .crane/newest/bin/python --upgrade-package pulumi --upgrade-package pulumi-cloudflare pulumi pulumi-cloudflare" in planned
    )
    assert [line for line in planned.splitlines() if "uv lock" in line or ".venv/bin/pytest" in line] == []
    assert '/.crane/newest/bin:$PATH" .crane/newest/bin/pytest' in planned


def test_a_run_with_the_newest_sdks_names_the_versions_and_what_is_not_tried(tmp_path: Path) -> None:
    """Here these are the pinned ones."""
    engine = tmp_path / "pulumi"
    engine.write_text("#!/bin/sh\necho v3.1.0\n", encoding="utf-8")
    engine.chmod(0o755)
    command = [sys.executable, str(ROOT / "tools" / "newest.py")]
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}/usr/bin:/bin"}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == [
        f"newest: pulumi {PINNED['pulumi']} (the pinned version)",
        f"newest: pulumi-cloudflare {PINNED['pulumi-cloudflare']} (the pinned version)",
        "newest: not tried: an engine other than the one here (3.1.0), and the official provider's plugin",
    ]


def test_the_ci_script_runs_the_test_command_from_anywhere(tmp_path: Path) -> None:
    script = ROOT / ".ci" / "run"
    stand_in = tmp_path / "make"
    stand_in.write_text('#!/bin/sh\necho "$PWD" "$@"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run([script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == f"{ROOT} test\n"
