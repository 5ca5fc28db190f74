"""One cloud per folder: file locks that the system releases when the last process that holds one ends, however it ends.

The cloud holds ``lock`` as long as it lives; the command that starts or stops it holds ``changing``. When two starts meet, one wins
and the other then sees the running cloud.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from local_cloud.errors import LocalCloudError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE_SECONDS = 0.02


@contextlib.contextmanager
def hold(folder: Path, seconds: float, name: Literal["lock", "changing"] = "lock") -> Iterator[int]:
    """Hold one of the folder's locks and give its file descriptor; a child process that inherits it shares the lock.

    Raises LocalCloudError when another process keeps the lock for ``seconds``, FileNotFoundError when the folder does not exist.
    """
    if not folder.is_dir():
        raise FileNotFoundError(folder)  # FileLock would create it
    descriptors: list[int] = []
    pause, keep = _PAUSE_SECONDS, descriptors.append
    lock = FileLock(folder / name, seconds, 0o600, poll_interval=pause, preserve_lock_file=True, on_acquired=keep)
    try:
        acquired = lock.acquire()
    except Timeout:
        todo = "Stop it with 'crane local down', then start again"
        raise LocalCloudError(str(folder), "another local cloud holds this folder", todo) from None
    with acquired:
        yield descriptors[0]


def is_free_within(folder: Path, seconds: float) -> bool:
    """Wait at most ``seconds`` until no process holds the folder's lock; True when that happened, or the folder is gone."""
    with contextlib.suppress(LocalCloudError, FileNotFoundError), hold(folder, seconds):
        return True
    return not folder.exists()
