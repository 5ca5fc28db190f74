"""The paths of a database's file and of the files beside it: earlier states, uploads and exports.

workerd names a database's file after the id of the object that holds it. This module opens no database, so it cannot lock or change one.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import time
from pathlib import Path
from typing import Literal

_OBJECT = "miniflare-D1DatabaseObject"


def databases_of(folder: Path) -> Path:
    """Give the folder of all databases of the cloud whose state is in ``folder``."""
    return folder / "d1"


def assets_of(folder: Path) -> Path:
    """Give the folder of the static assets of the cloud whose state is in ``folder``; main.mjs knows it too."""
    return folder / "assets"


def database_file(databases: Path, uuid: str) -> Path:
    """Give the path of a database's file; it exists once the database has been used."""
    key = hashlib.sha256(_OBJECT.encode()).digest()
    name = hmac.digest(key, uuid.encode(), "sha256")[:16]
    return databases / _OBJECT / f"{(name + hmac.digest(key, name, 'sha256')[:16]).hex()}.sqlite"


def side_folder(databases: Path, uuid: str, kind: Literal["history", "imports", "exports"]) -> Path:
    """Give the folder for one kind of files beside a database; the first writer creates it."""
    return _beside(databases) / Path(uuid).name / kind


def remove_database(databases: Path, uuid: str) -> None:
    """Remove a deleted database's file and the files beside it; workerd must no longer use it."""
    file = database_file(databases, uuid)
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    shutil.rmtree(_beside(databases) / Path(uuid).name, ignore_errors=True)


def remove_strays(databases: Path, known: set[str]) -> None:
    """Remove the files of unknown databases, which a kill during a deletion leaves; workerd must not run."""
    files = {database_file(databases, uuid).stem for uuid in known}
    for file in (databases / _OBJECT).glob("*.sqlite*"):
        if file.name.partition(".")[0] not in files | {"metadata"}:
            file.unlink()
    for folder in _beside(databases).glob("*"):
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)


def forget_old(folder: Path, seconds: float) -> None:
    """Remove the files of a folder that were last written more than ``seconds`` ago."""
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.stat().st_mtime < time.time() - seconds:
            file.unlink(missing_ok=True)


def _beside(databases: Path) -> Path:
    return databases.with_name(f"{databases.name}-beside")
