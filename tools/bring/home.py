"""The folder that an engine is installed into, completely or not at all.

A new engine is built in a building site beside the folder and moved there by one rename, under a lock. So an interrupted run leaves no
incomplete engine, and two runs do not disturb each other. A folder that this tool did not create is never replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bring.found import WayError, check
from bring.work import say

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "brought-by-crane-infra"


@dataclass(frozen=True)
class Home:
    """The place of the private engine: ``folder`` contains ``bin``; its lock, log and building site are beside it."""

    folder: Path

    @property
    def bin(self) -> Path:
        """The folder with the programs."""
        return self.folder / "bin"

    @property
    def log(self) -> Path:
        """The file with the output of the installer and the compiler."""
        return self._beside(".log")

    def ready(self) -> bool:
        """Whether the pinned engine is there, with all its parts."""
        try:
            check(self.bin)
        except WayError:
            return False
        return True

    def foreign(self) -> bool:
        """Whether the folder contains something that this tool did not install."""
        return self.folder.exists() and not (self.folder / MARK).exists() and (not self.folder.is_dir() or any(self.folder.iterdir()))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only run that works on this folder, and remove what an interrupted run left behind."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._beside(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another run is installing the engine; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.folder.parent.glob(f"{self.folder.name}.site-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def site(self) -> Iterator[Path]:
        """An empty folder to build in. If the block succeeds and the engine in it is complete, it becomes ``folder``.

        Raises WayError if the result is not the pinned engine. Use it under the lock.
        """
        site = self._new_site()
        try:
            yield site
            check(site / "bin")
            (site / MARK).touch()
            self.remove()
            site.rename(self.folder)
        finally:
            shutil.rmtree(site, ignore_errors=True)

    def remove(self) -> None:
        """Remove an engine of another version that this tool installed earlier. Use it under the lock."""
        if (self.folder / MARK).exists():
            retired = self._new_site()
            self.folder.rename(retired / "old")
            shutil.rmtree(retired, ignore_errors=True)
        elif self.folder.exists():
            self.folder.rmdir()

    def _new_site(self) -> Path:
        site = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}.site-", dir=self.folder.parent))
        site.chmod(0o755)
        return site

    def _beside(self, ending: str) -> Path:
        return self.folder.with_name(self.folder.name + ending)
