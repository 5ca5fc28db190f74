"""A backup as a file: a compressed SQLite database with a note about itself, whose name has the database, the time and a checksum.

``crane-context-db-20261129T030000Z-0123456789abcdef.sqlite.gz``: the last part are the first 16 digits of the SHA-256 of the file.
"""

import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw
from pydantic import Field, ValidationError

from crane_infra.counted import counted
from crane_infra.data.copy import Copied
from crane_infra.data.disk import disk_faults
from crane_infra.data.pages import pages
from crane_infra.data.shapes import Shape, shapes_of
from crane_infra.data.source import LocalSource
from crane_infra.errors import DataError
from crane_infra.frozen import Frozen
from crane_infra.migrations.sqlite.engine import rows

NOTE = "_cf_crane_backup"
_NAME = re.compile(r"(?P<database>.+)-(?P<time>\d{8}T\d{6}Z)-(?P<checksum>[0-9a-f]{16})\.sqlite\.gz")
_LEVEL = 6
ANOTHER = "Take another backup"


class Note(Frozen):
    """What a backup says about itself. ``tables`` has the rows and the checksum of each table."""

    version: int = 1
    database: str = Field(min_length=1)
    taken_at: str
    bookmark: str | None = None
    tables: dict[str, tuple[int, str]]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackupName:
    """The name of a backup, in its parts."""

    name: str
    database: str
    time: str
    checksum: str


def read_name(name: str) -> BackupName | None:
    """The parts of the name of a backup; None for any other name."""
    match = _NAME.fullmatch(name)
    return BackupName(name, match["database"], match["time"], match["checksum"]) if match else None


def of_database(names: Sequence[str], database: str) -> list[BackupName]:
    """The backups of one database among some names, the newest first."""
    read = [name for name in map(read_name, names) if name and name.database == database]
    return sorted(read, key=lambda name: name.time, reverse=True)


def make_backup(copied: Copied, database: str, now: datetime, folder: Path) -> Path:
    """Compress a finished copy into a file of its own in ``folder``; the copy gets the note. Raises DataError where the disk is full."""
    tables = {table.name: (table.rows, table.checksum) for table in copied.tables}
    time = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    note = Note(database=database, taken_at=time, bookmark=copied.bookmark, tables=tables, left_out=copied.left_out)
    with disk_faults(copied.path), closing(apsw.Connection(str(copied.path))) as db:
        db.execute(f"CREATE TABLE {NOTE} (note TEXT NOT NULL)")
        db.execute(f"INSERT INTO {NOTE} VALUES (?)", (note.model_dump_json(),))  # noqa: S608 - a name of ours
    compressed = folder / f"{database}.sqlite.gz"
    try:
        compressed.touch(mode=0o600)
        # Without a name and a time of its own inside, the same copy makes the same bytes.
        with copied.path.open("rb") as plain, compressed.open("wb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file:
            shutil.copyfileobj(plain, file, 1 << 20)
    except OSError as error:
        raise DataError(
            str(compressed), f"it cannot be written: {error.strerror}", "Check the disk, then run the same command again"
        ) from None
    return compressed.rename(folder / f"{database}-{time}-{checksum_of(compressed)}.sqlite.gz")


def checksum_of(path: Path) -> str:
    """The first 16 digits of the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def unpack(backup: Path, into: Path) -> Note:
    """Decompress a backup into a SQLite file, without its note, and return the note. Raises DataError for a file that is damaged or none, and for a full disk."""
    name = read_name(backup.name)
    if name is None:
        raise DataError(backup.name, "its name is not that of a backup", "Leave the names of backups as they are: they hold a checksum")
    if checksum_of(backup) != name.checksum:
        raise DataError(backup.name, "its bytes are not those that were written: the checksum in its name is another one", ANOTHER)
    into.touch(mode=0o600)
    try:
        with disk_faults(into):
            with gzip.open(backup) as file, into.open("wb") as plain:
                shutil.copyfileobj(file, plain, 1 << 20)
            with closing(apsw.Connection(str(into))) as db:
                ((text,),) = rows(db, f"SELECT note FROM {NOTE}")  # noqa: S608 - a name of ours
                db.execute(f"DROP TABLE {NOTE}")
                return Note.model_validate(json.loads(text))
    except (OSError, EOFError, apsw.Error, ValueError, ValidationError):
        raise DataError(backup.name, "it is damaged, or not a backup", ANOTHER) from None


async def check_file(db: apsw.Connection, note: Note, where: str) -> None:
    """Read all rows of an unpacked backup, and compare counts and checksums with its note. Raises DataError."""
    shapes = {shape.name: shape for shape in shapes_of(db, where)}
    for table, (count, checksum) in note.tables.items():
        found, digest = await _digest(db, shapes.get(table), where)
        if (found, digest) != (count, checksum):
            raise DataError(
                where, f"table {table} has {counted(found, 'row')} that are not the {counted(count, 'row')} which were written", ANOTHER
            )


async def _digest(db: apsw.Connection, shape: Shape | None, where: str) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    if shape:
        async for page in pages(LocalSource(db, where), shape):
            digest.update("".join(f"{line}\n" for line in page.lines).encode())
            count += len(page.lines)
    return count, digest.hexdigest()
