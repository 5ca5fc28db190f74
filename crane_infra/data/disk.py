"""A disk that is full or cannot be written, as one line, wherever rows are written to files of this machine."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from crane_infra.errors import DataError

DISK_FAULTS = (apsw.FullError, apsw.IOError)
"""How SQLite says that the disk, not a statement, is the trouble."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def disk_faults(where: Path) -> Iterator[None]:
    """What is written to ``where`` in this block. Raises DataError for a full or broken disk.

    Other errors of SQLite and of the system pass.
    """
    try:
        yield
    except apsw.FullError:
        raise DataError(str(where), "the disk is full", "Free some space, then run the same command again") from None
    except apsw.IOError as error:
        raise DataError(str(where), f"it cannot be written: {error}", "Check the disk, then run the same command again") from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DataError(str(where), "the disk is full", "Free some space, then run the same command again") from None
