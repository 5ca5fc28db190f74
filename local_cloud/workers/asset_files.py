"""The static assets of all versions on disk: each content once by its hash, and a folder for each set of files that a version serves.

Nothing is changed once it is there, so versions that share files or sets share them here, and an earlier version serves what it always did.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class AssetFiles:
    """The assets below one folder."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made once something is stored."""
        self._contents, self._sets = folder / "contents", folder / "sets"

    def has(self, digest: str) -> bool:
        """Whether the content with this hash is there."""
        return (self._contents / digest).is_file()

    def add(self, digest: str, content: bytes) -> None:
        """Store a content, as a whole or not at all."""
        self._contents.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self._contents, prefix="uploading-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(self._contents / digest)

    def make_set(self, manifest: Mapping[str, str], rules: Mapping[str, str]) -> str:
        """Make the folder of a version's files, hashes by path, and of its ``rules``, texts by name; give the folder's name."""
        name = hashlib.sha256(json.dumps([manifest, rules], sort_keys=True).encode()).hexdigest()
        folder = self._sets / name
        if folder.is_dir():
            return name
        self._sets.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=self._sets, prefix="making-"))
        for path, digest in manifest.items():
            file = making / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            os.link(self._contents / digest, file)
        for rule, text in rules.items():
            (making / rule).write_text(text)
        try:
            making.rename(folder)
        except OSError:  # another upload made it meanwhile
            shutil.rmtree(making)
        return name
