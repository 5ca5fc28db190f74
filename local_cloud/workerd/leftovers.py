"""Removes what a killed cloud can leave behind: temporary files, and a workerd whose Node was killed together with its parent.

Such a workerd is identified by the temporary folder in its environment, never by its name, on systems that show environments (Linux);
elsewhere only files are removed. The caller holds the cloud's lock, so nothing found here is in use.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def temporary_folder(folder: Path) -> Path:
    """Give the folder for the temporary files of the cloud in ``folder``."""
    return folder / "temporary"


def remove_leftovers(folder: Path) -> None:
    """Kill the processes that an earlier run of this cloud left, and remove its temporary files."""
    temporary = temporary_folder(folder)
    for process in _started_with(temporary):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    shutil.rmtree(temporary, ignore_errors=True)


def _started_with(temporary: Path) -> Iterator[int]:
    mark = f"TMPDIR={temporary}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or it has ended
            if mark in (process / "environ").read_bytes().split(b"\0"):
                yield int(process.name)
