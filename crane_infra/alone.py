"""Lets one process at a time use a folder of a clone. The system frees the lock when its holder ends, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from crane_infra.errors import CraneError

_OWNER_ONLY = 0o600


@contextmanager
def alone(file: Path, refusal: CraneError) -> Iterator[None]:
    """Hold a lock file during the block. Raises ``refusal`` where another process holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, 0, _OWNER_ONLY, preserve_lock_file=True)
    try:
        held = lock.acquire()
    except Timeout:
        raise refusal from None
    with held:
        yield
