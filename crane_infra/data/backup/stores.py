"""Where backups are kept: a folder, or a bucket that speaks S3."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from crane_infra.data.backup.s3 import Bucket
from crane_infra.data.disk import disk_faults
from crane_infra.errors import DataError

_S3 = "s3://"
_ADDRESS = re.compile(r"\w+:/")


class Store(Protocol):
    """Some files by name. All methods raise DataError."""

    @property
    def place(self) -> str:
        """Where it is, as people name it."""

    def prepare(self) -> None:
        """Make sure, before anything is read, that files can be put there."""

    def names(self) -> list[str]:
        """The names of the files."""

    def put(self, file: Path) -> None:
        """Store a file under its name, as a whole or not at all."""

    def get(self, name: str, into: Path) -> Path:
        """Fetch a file into a folder."""

    def remove(self, name: str) -> None:
        """Remove a file."""


def store_at(place: str, environ: Mapping[str, str]) -> Store:
    """The store at a folder or ``s3://bucket/prefix``; credentials of a bucket are in the usual variables. Raises DataError.

    An empty place, as a variable that is not set makes one, is not the present folder.
    """
    if place.startswith(_S3):
        return Bucket.of(place.removeprefix(_S3), environ)
    if not place.strip() or _ADDRESS.match(place):
        raise DataError(f"the place of backups, {place!r}", "it is neither a folder nor a bucket", "Name a folder, or s3://bucket/prefix")
    try:
        return Folder(Path(place).expanduser())
    except RuntimeError:
        raise DataError(place, "this machine has no such user", "Write out the path of the folder") from None


class Folder:
    """A folder on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """The path of the folder."""
        return str(self._path)

    def prepare(self) -> None:
        """Create the folder where it is missing, and write an empty file to it."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._path):
                pass
        except OSError as error:
            raise self._unwritable(error) from None

    def names(self) -> list[str]:
        """The names of its files."""
        try:
            return sorted(path.name for path in self._path.iterdir() if path.is_file())
        except OSError as error:
            raise self._unreadable(self._path, error) from None

    def put(self, file: Path) -> None:
        """Copy a file into the folder; it has its name only once it is complete."""
        part = self._path / f"{file.name}.part"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            part.touch(mode=0o600)
            with file.open("rb") as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            part.rename(self._path / file.name)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise self._unwritable(error) from None

    def get(self, name: str, into: Path) -> Path:
        """Copy a file of the folder."""
        try:
            with disk_faults(into):
                return Path(shutil.copy(self._path / name, into / name))
        except OSError as error:
            raise self._unreadable(self._path / name, error) from None

    def remove(self, name: str) -> None:
        """Remove a file of the folder."""
        try:
            (self._path / name).unlink(missing_ok=True)
        except OSError as error:
            todo = "Remove it yourself, or let the owner of the folder run this"
            raise DataError(str(self._path / name), f"it cannot be removed: {error.strerror}", todo) from None

    def _unwritable(self, error: OSError) -> DataError:
        todo = "Name a folder that is yours, check its disk, then run the same command again"
        return DataError(str(self._path), f"it cannot be written: {error.strerror}", todo)

    @staticmethod
    def _unreadable(path: Path, error: OSError) -> DataError:
        return DataError(str(path), f"it cannot be read: {error.strerror}", "Name the folder of the backups, and be allowed to read it")
