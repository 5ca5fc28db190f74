"""The folder an engine is brought into, and how it gets there whole or not at all.

A new engine is put together in a building site beside the folder and moved in by one rename, under a lock. It prevents
half an engine after an interrupted run, and two runs in each other's way. A folder that this tool did not make is never
replaced.
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
    """Where the private engine lives: ``folder`` holds ``bin``, and beside it are its lock, its log and its site."""

    folder: Path

    @property
    def bin(self) -> Path:
        """The folder with the programs."""
        return self.folder / "bin"

    @property
    def log(self) -> Path:
        """Where the output of the installer and the compiler goes."""
        return self._beside(".log")

    def ready(self) -> bool:
        """Tell whether the pinned engine is there, with all its parts."""
        try:
            check(self.bin)
        except WayError:
            return False
        return True

    def foreign(self) -> bool:
        """Tell whether something is there that this tool did not make."""
        return self.folder.exists() and not (self.folder / MARK).exists() and (not self.folder.is_dir() or any(self.folder.iterdir()))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only run that works on this folder; what an interrupted run left behind is cleared away."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._beside(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another run brings the engine just now; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.folder.parent.glob(f"{self.folder.name}.site-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def site(self) -> Iterator[Path]:
        """Give an empty folder to build in; if the block succeeds and the engine in it is whole, it becomes the home.

        Raises WayError when what was built is not the pinned engine. Use it under the lock.
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
        """Take away an engine of another version that this tool brought earlier. Use it under the lock."""
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
