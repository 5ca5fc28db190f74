#!/usr/bin/env python3
"""Finds, installs or builds a Pulumi engine, and prints the folder of its programs.

    python3 tools/engine.py [--into .crane/engine] [--pinned] [--installer-url https://get.pulumi.com]

It uses the engine that an earlier run installed. If there is none, it tries a ``pulumi`` on PATH that is new enough, then the official
installer, then a build from the Go modules. With ``--pinned``, a ``pulumi`` on PATH must have the pinned version. Progress goes to standard
error. The tool never changes an engine that it did not install.
"""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bring import found, installer, modules
from bring.found import WayError, text
from bring.home import Home
from bring.work import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TODO = (
    f"Install Pulumi {text(found.FLOOR)} or newer (https://www.pulumi.com/docs/install/) or Go 1.26 or newer "
    "(https://go.dev/doc/install), then run this again."
)


class NoEngineError(Exception):
    """There is no engine, and none could be installed. The text is for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit code."""
    options = _parser().parse_args(arguments)
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, _stop)
    try:
        folder = ensure(Home(options.into.absolute()), options.installer_url, found.PINNED if options.pinned else None)
    except (NoEngineError, OSError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing incomplete is left")
        return 130
    sys.stdout.write(f"{folder}\n")
    return 0


def ensure(home: Home, installer_url: str, only: found.Version | None = None) -> Path:
    """Return the folder of an engine's programs, and install one if there is none. ``only`` is the one version to accept.

    Raises NoEngineError with each way that was tried and why it failed.
    """
    if home.ready():
        return home.bin
    with home.locked():
        if home.ready():
            return home.bin
        if home.foreign():
            raise NoEngineError(
                f"{home.folder}: it contains something that this tool did not install. Move it, or choose another folder with --into."
            )
        home.log.write_bytes(b"")
        return _first(
            home,
            {
                "a pulumi on PATH": functools.partial(_on_path, home, only),
                f"the official installer ({installer_url})": functools.partial(installer.install, home, installer_url),
                "the Go modules": functools.partial(modules.build, home),
            },
        )


def _first(home: Home, ways: dict[str, Callable[[], Path]]) -> Path:
    failed: list[str] = []
    for name, way in ways.items():
        began = time.monotonic()
        try:
            folder = way()
        except WayError as why:
            say(f"{name}: {why}")
            failed.append(f"  {len(failed) + 1}. {name}: {why}")
        else:
            say(f"ready, from {name} ({time.monotonic() - began:.0f} s)")
            return folder
    msg = "\n".join(["there is no Pulumi engine, and none could be installed:", *failed, f"{TODO} The whole output is in {home.log}."])
    raise NoEngineError(msg)


def _on_path(home: Home, only: found.Version | None) -> Path:
    folder = found.on_path(os.environ.get("PATH", ""), but=home.bin, only=only)
    home.remove()  # the engine of another version, which would come first on the PATH of the Makefile
    return folder


def _stop(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Finds, installs or builds a Pulumi engine, and prints the folder of its programs.")
    parser.add_argument(
        "--into", type=Path, default=Path(".crane/engine"), help="the folder to install an engine into (default: %(default)s)"
    )
    parser.add_argument("--pinned", action="store_true", help=f"accept only version {text(found.PINNED)}")
    parser.add_argument("--installer-url", default=installer.URL, help="the address of the official installer (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
