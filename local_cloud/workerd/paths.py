"""Where D1 keeps a database's file, and where what belongs to it lies: its states of the past, uploads and exports.

workerd names the file after the id of the object that holds the database. It opens none of them, so nothing here can lock or change one.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import time
from pathlib import Path
from typing import Literal

_OBJECT = "miniflare-D1DatabaseObject"


def database_file(databases: Path, uuid: str) -> Path:
    """Give the path of a database's file; it exists once the database was used."""
    key = hashlib.sha256(_OBJECT.encode()).digest()
    name = hmac.digest(key, uuid.encode(), "sha256")[:16]
    return databases / _OBJECT / f"{(name + hmac.digest(key, name, 'sha256')[:16]).hex()}.sqlite"


def side_folder(databases: Path, uuid: str, kind: Literal["history", "imports", "exports"]) -> Path:
    """Give the folder of what is kept beside a database; it is made where it is first written."""
    return _beside(databases) / Path(uuid).name / kind


def remove_database(databases: Path, uuid: str) -> None:
    """Remove a deleted database's file and all that was kept beside it; workerd must no longer run with it."""
    file = database_file(databases, uuid)
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(_beside(databases) / Path(uuid).name, ignore_errors=True)


def remove_strays(databases: Path, known: set[str]) -> None:
    """Remove what belongs to no known database, as where a deletion was cut off by a kill; workerd must not run."""
    files = {database_file(databases, uuid).stem for uuid in known}
    for file in (databases / _OBJECT).glob("*.sqlite*"):
        if file.name.partition(".")[0] not in files | {"metadata"}:
            file.unlink()
    for folder in _beside(databases).glob("*"):
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)


def forget_old(folder: Path, seconds: float) -> None:
    """Remove the files of a folder that were last written longer ago than this."""
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.stat().st_mtime < time.time() - seconds:
            file.unlink(missing_ok=True)


def _beside(databases: Path) -> Path:
    return databases.with_name(f"{databases.name}-beside")
