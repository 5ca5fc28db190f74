"""Where D1 keeps a database's file: workerd names it after the id of the object that holds the database."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OBJECT = "miniflare-D1DatabaseObject"


def database_file(databases: Path, uuid: str) -> Path:
    """Give the path of a database's file; it exists once the database was used."""
    key = hashlib.sha256(_OBJECT.encode()).digest()
    name = hmac.digest(key, uuid.encode(), "sha256")[:16]
    return databases / _OBJECT / f"{(name + hmac.digest(key, name, 'sha256')[:16]).hex()}.sqlite"


def remove_database(databases: Path, uuid: str) -> None:
    """Remove a deleted database's file; workerd must no longer run with it."""
    file = database_file(databases, uuid)
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
