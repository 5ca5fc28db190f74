"""What a cloud stores is for its owner alone: databases, exports, logs, temporary files, and what workerd and Miniflare write.

The folder is closed to others, and so is each file in it: a copy or an archive of the folder may carry the files' modes and not the folder's.
"""

import contextlib
import os
import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private(folder: Path) -> None:
    """Let this process, and all that it starts, create files for their owner alone; take from others what is in ``folder`` already."""
    os.umask(_OTHERS)
    for parent, _, names in os.walk(folder):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            with contextlib.suppress(FileNotFoundError):  # what a killed cloud left may still be ending
                _close(path)


def _close(path: Path) -> None:
    mode = path.lstat().st_mode
    if mode & _OTHERS and not stat.S_ISLNK(mode):
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
