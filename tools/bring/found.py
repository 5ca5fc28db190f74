"""Checks engines that are already there: their version, and whether all parts are there.

An engine that is too old for hooks, or that lacks the Python language host, would fail much later with an unclear message.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

Version = tuple[int, int, int]

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FLOOR: Version = (3, 238, 0)
HOST_PARTS = ("pulumi-language-python", "pulumi-language-python-exec")
PARTS = ("pulumi", *HOST_PARTS)
ANSWER_SECONDS = 60


class WayError(Exception):
    """One way to get an engine failed. The text says why, in one line."""


def text(version: Version) -> str:
    """Write a version as Pulumi does, without the leading v."""
    return ".".join(map(str, version))


def parse(answer: str) -> Version | None:
    """Read what ``pulumi version`` prints, such as ``v3.1.0``; None if it is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def version_of(program: Path) -> Version | None:
    """Ask a pulumi program for its version; None if it cannot run or prints something else."""
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        answer = subprocess.run(  # noqa: S603 - a pulumi the user has on PATH, or the one just brought
            [program, "version"],
            check=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse(answer.stdout)


def pins() -> dict[str, Version]:
    """Read the versions of Pulumi's packages that pyproject.toml pins, by package."""
    dependencies: list[str] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    pinned = {package: parse(version) for package, _, version in (dependency.partition("==") for dependency in dependencies)}
    return {package: version for package, version in pinned.items() if version is not None and package.startswith("pulumi")}


PINNED = pins()["pulumi"]  # the engine has the version of its SDK


def check(folder: Path) -> None:
    """Make sure that a folder has every part of the pinned engine.

    Raises WayError with the part that is missing, or the version that is there instead.
    """
    for part in PARTS:
        if not os.access(folder / part, os.X_OK):
            raise WayError(f"the result has no {part}")
    version = version_of(folder / "pulumi")
    if version != PINNED:
        actual = text(version) if version else "of unknown version"
        raise WayError(f"the result is a pulumi {actual}, but {text(PINNED)} is needed")


def on_path(path: str, *, but: Path, only: Version | None = None) -> Path:
    """Return the folder of a usable pulumi on a search path, except in the folder ``but``. With ``only``, it must have that version.

    Raises WayError if there is none, if its version is too old or not ``only``, or if the Python language host is missing.
    """
    entries = [entry for entry in path.split(os.pathsep) if entry and Path(entry).resolve() != but.resolve()]
    search = os.pathsep.join(entries)
    program = shutil.which("pulumi", path=search) if entries else None
    if program is None:
        raise WayError("there is none")
    version = version_of(Path(program))
    if version is None:
        raise WayError(f"{program} does not print its version")
    if version < FLOOR:
        raise WayError(f"{program} is {text(version)}, which is too old: {text(FLOOR)} or newer is needed")
    if only not in (None, version):
        raise WayError(f"{program} is {text(version)}, but {text(only)} is needed")
    _check_host(Path(program), search)
    return Path(program).parent


def _check_host(program: Path, search: str) -> None:
    """Search where the engine searches for its language host: beside itself, then on the search path."""
    beside = os.pathsep.join([str(program.parent), str(program.resolve().parent), search])
    for part in HOST_PARTS:
        if shutil.which(part, path=beside) is None:
            raise WayError(f"{program} has no {part} beside it or on PATH")
