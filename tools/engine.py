#!/usr/bin/env python3
"""Makes sure that a Pulumi engine is there, and prints the folder of its programs.

    python3 tools/engine.py [--into .crane/engine] [--pinned] [--installer-url https://get.pulumi.com]

An engine that an earlier run brought is used again. Otherwise, in this order: a ``pulumi`` on PATH that is new enough, the
official installer, the Go modules. With ``--pinned`` one on PATH has to be of the pinned version. Progress goes to standard error. It never touches an engine it did not bring, and
prevents a first run that fails because of a tool nobody spoke of.
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
    """There is no engine and no way to one; the text is for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; the result is its exit code."""
    options = _parser().parse_args(arguments)
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, _stop)
    try:
        folder = ensure(Home(options.into.absolute()), options.installer_url, found.PINNED if options.pinned else None)
    except (NoEngineError, OSError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing half-built is left")
        return 130
    sys.stdout.write(f"{folder}\n")
    return 0


def ensure(home: Home, installer_url: str, only: found.Version | None = None) -> Path:
    """Return the folder of an engine's programs, brought here if need be; ``only`` is the one version that will do.

    Raises NoEngineError with every way that was tried and why it failed.
    """
    if home.ready():
        return home.bin
    with home.locked():
        if home.ready():
            return home.bin
        if home.foreign():
            raise NoEngineError(
                f"{home.folder}: it holds something else than an engine of this tool. Move it away, or choose another folder with --into."
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
    msg = "\n".join(["there is no Pulumi engine here, and no way to one worked:", *failed, f"{TODO} The whole output is in {home.log}."])
    raise NoEngineError(msg)


def _on_path(home: Home, only: found.Version | None) -> Path:
    folder = found.on_path(os.environ.get("PATH", ""), but=home.bin, only=only)
    home.remove()  # one of another version, which would come first on the PATH of our recipes
    return folder


def _stop(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Makes sure that a Pulumi engine is there, and prints the folder of its programs.")
    parser.add_argument("--into", type=Path, default=Path(".crane/engine"), help="where an engine is brought (default: %(default)s)")
    parser.add_argument("--pinned", action="store_true", help=f"take no other version than {text(found.PINNED)}")
    parser.add_argument("--installer-url", default=installer.URL, help="where the official installer is (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
