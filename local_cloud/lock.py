"""One cloud per folder: locks that the system lets go of when the last process that holds one ends, however it ends.

``lock`` is held by the cloud as long as it lives, ``changing`` by the command that starts or stops it: of two starts at the same
moment one wins, and the other sees what the first one did.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Literal

from local_cloud.errors import LocalCloudError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE_SECONDS = 0.02


@contextlib.contextmanager
def hold(folder: Path, seconds: float, name: Literal["lock", "changing"] = "lock") -> Iterator[int]:
    """Hold one of the folder's locks and give its descriptor; raises LocalCloudError when another keeps it for ``seconds``."""
    descriptor = os.open(folder / name, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if not _taken_within(descriptor, seconds):
            raise LocalCloudError(str(folder), "another local cloud holds this folder", "Stop it with 'crane local down', then start again")
        yield descriptor
    finally:
        os.close(descriptor)


def is_free_within(folder: Path, seconds: float) -> bool:
    """Wait until nobody holds the folder's lock; tell whether that happened in time."""
    with contextlib.suppress(LocalCloudError, FileNotFoundError), hold(folder, seconds):
        return True
    return not folder.exists()


def _taken_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
