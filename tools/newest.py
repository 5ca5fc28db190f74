#!/usr/bin/env python3
"""Prints which versions ``make newest`` tries, and what stays as it is.

    .crane/newest/bin/python tools/newest.py

The Python that has the newest packages runs it.
"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from bring import found

SDKS = ("pulumi", "pulumi-cloudflare")


def main() -> None:
    """Print a line for each SDK, and one for the engine and the provider's plugin."""
    pins = found.pins()
    for package in SDKS:
        newest, pin = version(package), found.text(pins[package])
        say(f"{package} {newest} ({'the pinned version' if newest == pin else f'the pinned version is {pin}'})")
    say(f"not tried: an engine other than the one here ({_engine()}), and the official provider's plugin")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"newest: {line}\n")


def _engine() -> str:
    program = shutil.which("pulumi")
    engine = found.version_of(Path(program)) if program else None
    return found.text(engine) if engine else "there is none"


if __name__ == "__main__":
    main()
