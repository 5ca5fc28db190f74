"""The files of code that the provider uploads: a copy of each module, whose path says what it holds.

The provider takes a module's content, which the engine then writes into the state with every step of a run, or the path of a file. It compares
the path as well as the content. So a path is the same on each machine, and another content has another one.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crane_infra.errors import BundleError
from crane_infra.release.bundle import Module

FOLDER = Path(".crane") / "modules"
"""Below the folder of the program, where the provider runs too."""
_COPYING = "copying-"
_NAME = re.compile(r"(?P<sha256>[0-9a-f]{64})-(?P<size>[0-9]+)")
_WEEK = 7 * 24 * 3600.0


def path_of(module: Module) -> str:
    """The path of a module's copy, relative to the folder of the program: its sha256 and its size in bytes."""
    return (FOLDER / f"{module.sha256}-{len(module.content)}").as_posix()


def size_in(path: str) -> tuple[str, int] | None:
    """The sha256 and the size that ``path_of`` wrote into a path; None for another path."""
    named = _NAME.fullmatch(path.rpartition("/")[2])
    return (named["sha256"], int(named["size"])) if named else None


def stage_modules(modules: Iterable[Module]) -> None:
    """Copy each module to its path, unless an earlier run did. A copy that somebody changed is made again.

    Copies that no run has used for a week are removed: the modules are in the release. Raises BundleError where a copy cannot be written.
    """
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        written = [module for module in modules if not _is_there(Path(path_of(module)), module.content)]
        for module in written:
            _write(Path(path_of(module)), module.content)
        if written:
            _prune(time.time() - _WEEK)
    except OSError as error:
        raise BundleError(str(FOLDER), f"modules cannot be copied there ({error.strerror})", "Make the folder writable") from None


def _is_there(path: Path, content: bytes) -> bool:
    try:
        if path.is_symlink() or path.read_bytes() != content:
            return False
        os.utime(path)  # says when a run last used it
    except OSError:
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    """Another run may write the same file at this moment: it is there as a whole or not at all."""
    number, name = tempfile.mkstemp(dir=FOLDER, prefix=_COPYING)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _prune(before: float) -> None:
    """Another run may do the same at this moment."""
    for path in FOLDER.iterdir():
        is_ours = _NAME.fullmatch(path.name) or path.name.startswith(_COPYING)
        with suppress(FileNotFoundError):
            if is_ours and not path.is_dir() and path.lstat().st_mtime < before:
                path.unlink()
