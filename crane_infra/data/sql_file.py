"""A file of SQL for one import of D1, written statement by statement, so that nothing is in memory as a whole."""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from crane_infra.errors import DataError

LARGEST = 5_000_000_000
"""Bytes that one import of D1 takes (documented: 5 GB)."""


class SqlFile:
    """Only its user can read the file, and it is gone at the end of the ``with``: it has rows.

    ``where`` is the database that errors name, ``smaller`` what to do where the file becomes too large.
    """

    def __init__(self, path: Path, where: str, smaller: str) -> None:
        self.path, self.statements = path, 0
        self._where, self._smaller, self._size = where, smaller, 0

    def __enter__(self) -> Self:
        """Begin an empty file. Raises DataError where it cannot be written."""
        self.path.unlink(missing_ok=True)
        try:
            self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except OSError as error:
            raise self._failed(error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove it."""
        with suppress(OSError):  # what was left to write is not wanted any more
            self._file.close()
        self.path.unlink(missing_ok=True)

    def add(self, statement: str) -> None:
        """Write a statement, which comes without its semicolon. Raises DataError: too large for one import, or the disk is full."""
        octets = f"{statement};\n".encode()
        self._size += len(octets)
        self.statements += 1
        if self._size > LARGEST:
            what = f"its rows are more than {LARGEST:,} bytes of SQL, which is what one import of D1 takes"
            raise DataError(self._where, what, self._smaller)
        try:
            self._file.write(octets)
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Write what is left; the file can be read now. Raises DataError."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> DataError:
        what = f"the SQL of its rows cannot be written to {self.path.parent}: {error.strerror}"
        return DataError(self._where, what, "Check the disk, then run the same command again")
