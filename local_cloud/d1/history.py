"""Time Travel's states: whole copies of a database's file, one for each bookmark, and how to restore one.

SQLite's backup makes a copy while workerd keeps running, and writes one back in the same way: in one transaction on the live file, so a
kill leaves the state before or the state after. Each begins at least a microsecond, the smallest step of a timestamp, after the one before it, also
where the clock was put back. The newest 100 states are kept, of at most 256 MB together. A state that only a worker
wrote is stored with the next call to the API. It knows nothing of HTTP.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local_cloud.d1.file_shape import ANY_SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

KEPT_STATES, KEPT_BYTES = 100, 256 * 2**20
_NAME = re.compile(r"(?P<bookmark>(?P<number>[0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32})\.(?P<at>\d+)\.sqlite")
_BUSY_SECONDS = 30.0
_MICROSECOND = 1000


@dataclass(frozen=True)
class State:
    """A state that can be restored; ``at`` is when it was first seen, in nanoseconds since 1970, ``size`` that of its file."""

    bookmark: str
    at: int
    file: Path
    size: int


class History:
    """The states of one database; each new bookmark sorts after the earlier ones. Nothing else writes to its folder."""

    def __init__(self, live: Path, folder: Path, created_at: str) -> None:
        """Keep the states of ``live`` in ``folder``; the first one counts from ``created_at`` (ISO 8601)."""
        self.live, self._folder, self._created_at = live, folder, created_at
        self._kept: list[State] | None = None

    def states(self) -> list[State]:
        """Give every kept state, oldest first."""
        if self._kept is None:
            files = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
            matches = [(match, file) for file in files if (match := _NAME.fullmatch(file.name))]
            self._kept = [State(match["bookmark"], int(match["at"]), file, file.stat().st_size) for match, file in matches]
        return self._kept

    def find(self, bookmark: str) -> State | None:
        """Give the state of a bookmark, None if it is not kept."""
        return next((state for state in self.states() if state.bookmark == bookmark), None)

    def at(self, moment: datetime) -> State | None:
        """Give the state at a moment: the last one that began by then, None if that is not kept."""
        limit = _nanoseconds(moment)
        return next((state for state in reversed(self.states()) if state.at <= limit), None)

    def record(self, *, written: bool, at: int | None = None) -> State:
        """Keep the present state and give it; without ``written`` gives the last one if nothing changed since.

        ``at`` is when it was written, in nanoseconds since 1970: now, if it is left out.
        """
        states, copy = self.states(), self._folder / "new"
        if not states:
            self._folder.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        _copy(self.live, copy, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF")  # a copy that a kill cuts short counts for nothing
        if states and not written and _content(states[-1].file) == _content(copy):
            copy.unlink()
            return states[-1]
        state = self._next(copy, states[-1] if states else None, (at or time.time_ns()) if written else self._last_touched())
        copy.rename(state.file)
        self._kept = self._without_oldest([*states, state])
        return state

    def restore(self, state: State) -> State:
        """Restore the live file to ``state`` in one transaction; give the new state that this makes."""
        _copy(state.file, self.live, "PRAGMA synchronous=FULL")
        return self.record(written=True)

    def _last_touched(self) -> int:
        """When the file was last written, for example by a worker, in nanoseconds; workerd's counter of reads writes too."""
        files = (self.live, self.live.with_name(f"{self.live.name}-wal"))
        return max(file.stat().st_mtime_ns for file in files if file.exists())

    def _next(self, copy: Path, last: State | None, at: int) -> State:
        number = int(last.bookmark[:8], 16) + 1 if last else 0
        began = at // _MICROSECOND * _MICROSECOND
        at = max(began, last.at + _MICROSECOND) if last else _nanoseconds(datetime.fromisoformat(self._created_at))
        tail = hashlib.md5(f"{self.live.name} {number}".encode(), usedforsecurity=False).hexdigest()
        bookmark = f"{number:08x}-{0:08x}-{at // 10**9:08x}-{tail}"
        return State(bookmark, at, self._folder / f"{bookmark}.{at}.sqlite", copy.stat().st_size)

    def _without_oldest(self, states: list[State]) -> list[State]:
        """Remove the files of the oldest states that are too many or too large; the newest one always stays."""
        sizes = itertools.accumulate(state.size for state in reversed(states))
        kept = sum(place == 0 or (place < KEPT_STATES and size <= KEPT_BYTES) for place, size in enumerate(sizes))
        for state in states[: len(states) - kept]:
            state.file.unlink()
        return states[len(states) - kept :]


def _nanoseconds(moment: datetime) -> int:
    """Since 1970, without the rounding of a float, which may lie before a state that began at this moment."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * _MICROSECOND


def _copy(source: Path, target: Path, settings: str) -> None:
    """Copy a database while others use both; ``settings`` are PRAGMAs for the target."""
    with (
        contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as reader,
        contextlib.closing(sqlite3.connect(target, timeout=_BUSY_SECONDS)) as writer,
    ):
        writer.executescript(f"{ANY_SCHEMA}; {settings}")
        reader.backup(writer)


def _content(file: Path) -> str:
    """Give a digest of everything except workerd's counter, which grows with each read (``_cf_METADATA``, one page)."""
    data = bytearray(file.read_bytes())
    stored = int.from_bytes(data[16:18], "big")
    size = 65536 if stored == 1 else stored  # https://sqlite.org/fileformat2.html, section 1.3.2
    with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as reader:
        reader.execute(ANY_SCHEMA)
        for (page,) in reader.execute("SELECT rootpage FROM sqlite_master WHERE name = '_cf_METADATA'"):
            data[(page - 1) * size : page * size] = bytes(size)
    return hashlib.sha256(data).hexdigest()
