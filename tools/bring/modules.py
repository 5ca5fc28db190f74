"""The third way: a build from the engine's Go modules, which package proxies have.

Versions and checksums come from the go.mod and go.sum files in ``tools/engine``. Go may not change them, so nothing else is ever built. The
environment decides where the modules come from (``GOPROXY``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bring.found import PINNED, WayError, text
from bring.work import run, say

if TYPE_CHECKING:
    from bring.home import Home

SOURCES = Path(__file__).parent.parent / "engine"
SDK = "github.com/pulumi/pulumi/sdk/v3"
EXEC = "python/cmd/pulumi-language-python-exec"


@dataclass(frozen=True)
class Program:
    """One program to build: the folder of its go.mod, its package, the version that it will print, and how long the build takes."""

    name: str
    module: Path
    package: str
    version: str
    takes: str


PROGRAMS = (
    Program(
        name="pulumi",
        module=SOURCES / "pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        version=text(PINNED),
        takes="about 4 minutes on 2 cores, seconds when Go has built it before",
    ),
    Program(
        name="pulumi-language-python",
        module=SOURCES / "host",
        package="github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        version="3.79.0",  # the last version with the language host inside; it also runs programs of the pinned version
        takes="about half a minute",
    ),
)


def build(home: Home) -> Path:
    """Build the pinned engine and its language host, and return the folder of the programs.

    Raises WayError if Go is missing or too old, cannot fetch a module, or fails.
    """
    go = shutil.which("go")
    if go is None:
        raise WayError("go is not on PATH")
    with home.site() as site:
        for program in PROGRAMS:
            _compile(go, program, site / "bin" / program.name, home.log)
        script = Path(shutil.copy(_sdk_folder(go) / EXEC, site / "bin"))
        script.chmod(0o755)  # modules carry no executable bits
    return home.bin


def environment() -> dict[str, str]:
    """The environment for Go: it may fetch a newer toolchain, and ignores any workspace around this folder."""
    return {**os.environ, "GO111MODULE": "on", "GOTOOLCHAIN": "auto", "GOWORK": "off"}


def _compile(go: str, program: Program, target: Path, log: Path) -> None:
    say(f"building {program.name} {program.version} from its Go modules; {program.takes}")
    began = time.monotonic()
    flags = f"-s -w -X {SDK}/go/common/version.Version=v{program.version}"
    command = (go, "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", target, program.package)
    run(command, log=log, cwd=program.module, env=environment())
    say(f"  built in {time.monotonic() - began:.0f} s")


def _sdk_folder(go: str) -> Path:
    """The folder of the SDK in Go's module cache. The build put it there and checked it against go.sum."""
    command = (go, "list", "-mod=readonly", "-m", "-f", "{{.Version}} {{.Dir}}", SDK)
    try:
        answer = subprocess.run(  # noqa: S603 - the Go on PATH, with words written above
            command, cwd=PROGRAMS[0].module, env=environment(), check=True, capture_output=True, encoding="utf-8"
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise WayError(f"go list does not find {SDK}") from error
    version, _, folder = answer.stdout.strip().partition(" ")
    if version != f"v{text(PINNED)}" or not folder:
        raise WayError(f"go.mod has {SDK} {version}, but {text(PINNED)} is needed")
    return Path(folder)
