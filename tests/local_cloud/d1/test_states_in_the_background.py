"""The state after a write is kept beside the reply: the next call waits for it, and neither a failure nor a kill loses it."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_cloud.d1.history import History, State
from local_cloud.d1.open_databases import OpenDatabase

CREATED = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
SECONDS, HOUR = 60, 3600 * 10**9


class SlowHistory(History):
    """Keeps a state once ``goes_on`` is set; ``fails`` times it cannot."""

    def __init__(self, folder: Path, fails: int = 0) -> None:
        """Begin with one state, which is kept at once."""
        super().__init__(folder / "live.sqlite", folder / "states", CREATED)
        self.goes_on, self.fails = threading.Event(), fails
        super().record(written=True)

    def record(self, *, written: bool, at: int | None = None) -> State:
        """As ever, but later."""
        assert self.goes_on.wait(SECONDS)
        if self.fails:
            self.fails -= 1
            raise OSError("no space left on device")
        return super().record(written=written, at=at)

    def rows(self) -> list[int]:
        """How many rows each kept state has."""
        return [count(state.file) for state in self.states()]


def count(file: Path) -> int:
    with contextlib.closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT count(*) FROM t").fetchone()[0])


def insert(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "live.sqlite")) as live, live:
        live.execute("CREATE TABLE IF NOT EXISTS t(a)")
        live.execute("INSERT INTO t VALUES(1)")


async def write(opened: OpenDatabase, folder: Path) -> None:
    """What a call does that inserts a row."""
    async with opened.query():
        insert(folder)
        opened.wrote()


def run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS))


def test_the_next_call_waits_until_the_state_before_it_is_kept(tmp_path: Path) -> None:
    async def two_writes() -> None:
        await write(opened, tmp_path)
        second = asyncio.create_task(write(opened, tmp_path))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert count(tmp_path / "live.sqlite") == 2
        history.goes_on.set()
        await second
        await opened.record(written=False)

    insert(tmp_path)
    history = SlowHistory(tmp_path)
    opened = OpenDatabase(history)
    run(two_writes())
    assert history.rows() == [1, 2, 3]


def test_writes_that_were_under_way_at_once_share_a_state_that_has_them_all(tmp_path: Path) -> None:
    async def four_writes() -> None:
        async with opened.query(), opened.query(), opened.query(), opened.query():
            for _ in range(4):
                insert(tmp_path)
                opened.wrote()
                await asyncio.sleep(0)
        history.goes_on.set()
        assert (await opened.record(written=False)).bookmark == history.states()[-1].bookmark

    insert(tmp_path)
    history = SlowHistory(tmp_path)
    opened = OpenDatabase(history)
    run(four_writes())
    assert history.rows()[-1] == 5
    assert len(history.rows()) < 5


def test_a_state_that_could_not_be_kept_stops_no_call_and_is_kept_by_the_next_that_may_write(tmp_path: Path) -> None:
    async def write_and_look() -> None:
        history.goes_on.set()
        await write(opened, tmp_path)
        async with opened.query():
            assert (history.rows(), opened.knows_present) == ([1], False)
        await opened.record(written=False)
        assert (history.rows(), opened.knows_present) == ([1, 2], True)

    insert(tmp_path)
    history = SlowHistory(tmp_path, fails=1)
    opened = OpenDatabase(history)
    run(write_and_look())


def test_a_state_begins_when_it_was_written_and_not_when_its_copy_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write_and_wait() -> None:
        await write(opened, tmp_path)
        monkeypatch.setattr(time, "time_ns", lambda: written + HOUR)
        history.goes_on.set()
        await opened.kept()

    insert(tmp_path)
    history = SlowHistory(tmp_path)
    opened = OpenDatabase(history)
    written = history.states()[-1].at + HOUR
    monkeypatch.setattr(time, "time_ns", lambda: written)
    run(write_and_wait())
    assert history.states()[-1].at == written
