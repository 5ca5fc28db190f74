"""The bytes that D1's import gets, which are never in memory as a whole: a line of its own, then SQL, mostly from a file."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

_CHUNK = 1 << 20


class ImportFile(NamedTuple):
    """SQL to be imported. ``etag`` is the MD5 that the endpoint asks for. Make one with ``import_file``."""

    line: bytes
    sql: str | Path
    etag: str
    size: int

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes for an upload, a megabyte at a time."""
        for chunk in _chunks(self.line, self.sql):
            yield chunk


def import_file(sql: str | Path) -> ImportFile:
    """Read SQL, or a file of SQL, once, for its size and MD5. Raises OSError."""
    # "init" would already run a file that was uploaded before; with a line of its own each file is new.
    line = f"-- {uuid4().hex}\n".encode()
    digest, size = hashlib.md5(usedforsecurity=False), 0
    for chunk in _chunks(line, sql):
        digest.update(chunk)
        size += len(chunk)
    return ImportFile(line, sql, digest.hexdigest(), size)


def _chunks(line: bytes, sql: str | Path) -> Iterator[bytes]:
    yield line
    if isinstance(sql, str):
        yield sql.encode()
        return
    with sql.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
