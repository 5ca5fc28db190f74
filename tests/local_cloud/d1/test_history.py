"""The order of Time Travel's states is that of their writes, whatever the clock says."""

import contextlib
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_cloud.d1.history import History

CREATED = datetime(2026, 1, 1, 12, 0, 0, 123457, UTC)


def seconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9


def history(folder: Path) -> History:
    """A database whose first state counts from its creation."""
    with contextlib.closing(sqlite3.connect(folder / "live.sqlite")) as live:
        live.execute("CREATE TABLE t(a)")
    return History(folder / "live.sqlite", folder / "states", CREATED.isoformat())


def test_each_state_is_found_at_its_moment_where_the_clock_was_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = history(tmp_path)
    moments = iter([seconds(CREATED + timedelta(hours=2)), seconds(CREATED + timedelta(hours=1)), seconds(CREATED - timedelta(days=1))])
    first = kept.record(written=True)
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))
    states = [first, *(kept.record(written=True) for _ in range(3))]
    again = History(kept.live, tmp_path / "states", CREATED.isoformat())
    assert [state.bookmark for state in again.states()] == sorted(state.bookmark for state in states) == [each.bookmark for each in states]
    for state in states:
        began = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=state.at // 1000)
        assert again.at(began) == state


def test_the_moment_of_its_creation_is_that_of_the_first_state(tmp_path: Path) -> None:
    kept = history(tmp_path)
    first = kept.record(written=True)
    assert kept.at(CREATED) == first
    assert kept.at(CREATED - timedelta(microseconds=1)) is None
