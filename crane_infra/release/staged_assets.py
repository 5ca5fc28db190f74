"""The folders of static assets that the provider reads: copies of exactly the files that a release's digest covers.

The provider compares a folder by its path as well as by its files. So the path says which files are there, and is the same on each machine:
the program of one commit plans no other version on a laptop than in a workflow. Copies that no run has used for long are removed.
"""

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from crane_infra.errors import BundleError
from crane_infra.release.assets import StaticAssets

FOLDER = Path(".crane") / "assets"
"""Below the folder of the program, where the provider runs too."""
_DIGITS = 32
_COPYING = "copying-"
KEPT = 10
"""Copies that stay however old they are: the provider needs none but those of its run, and the files are in the release."""
_WEEK = 7 * 24 * 3600.0


def stage(assets: StaticAssets, source: Path) -> str:
    """Copy the files from ``source`` unless an earlier run did, and give the path of the copy, relative to the present folder.

    One run at a time looks and copies; a copy that is whole is never touched again, since a provider may be reading it.
    Raises BundleError if a file has changed since it was read.
    """
    from filelock import FileLock  # noqa: PLC0415 (only workers with static assets need it, and it costs each run 12 ms)

    folder = FOLDER / assets.digest[:_DIGITS]
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with FileLock(FOLDER.with_suffix(".lock")):
            if not _is_whole(folder, assets):
                _make(folder, assets, source)
                _prune(time.time() - _WEEK)
            os.utime(folder)  # says when a run last used it
    except OSError as error:
        what = f"static assets cannot be copied there ({error.strerror})"
        raise BundleError(str(folder), what, "Make the folder writable") from None
    return folder.as_posix()


def read_as_hashed(path: Path, sha256: str) -> bytes:
    """The content of a file of a release; raises BundleError if it has changed since the release was read."""
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError(str(path), "changed while it was read", "Wait until the build has finished, then run this again")
    return content


def _make(folder: Path, assets: StaticAssets, source: Path) -> None:
    copy = Path(tempfile.mkdtemp(dir=FOLDER, prefix=_COPYING))
    try:
        whole = copy / "whole"
        whole.mkdir()
        for file in assets.files:
            _copy(source / file.name, whole / file.name, file.sha256)
        if folder.exists() or folder.is_symlink():
            folder.rename(copy / "spoilt")
        whole.rename(folder)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _prune(before: float) -> None:
    """Remove what a killed run left, and all but the last copies that no run has used since this time. Only the one run that may copy does this."""
    copies = [path for path in FOLDER.iterdir() if path.is_dir() and not path.is_symlink()]
    left = [path for path in copies if path.name.startswith(_COPYING)]
    newest_first = sorted((path for path in copies if path not in left), key=lambda path: -path.stat().st_mtime)
    for path in [*left, *(path for path in newest_first[KEPT:] if path.stat().st_mtime < before)]:
        shutil.rmtree(path, ignore_errors=True)


def _copy(source: Path, target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(read_as_hashed(source, sha256))


def _is_whole(folder: Path, assets: StaticAssets) -> bool:
    """Whether a folder has these files and no others: somebody may have changed it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
    wanted = {file.name: file.sha256 for file in assets.files}
    return there == wanted.keys() and all(_digest(folder / name) == sha256 for name, sha256 in wanted.items())


def _digest(path: Path) -> str:
    if path.is_symlink():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
