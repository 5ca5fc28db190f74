"""A kill at any moment loses nothing that was acknowledged; every other request took effect as a whole or not at all."""

import contextlib
import itertools
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from local_cloud import daemon
from local_cloud.daemon import Running
from local_cloud.lock import is_free_within
from tests.cloud import api_of
from tests.local_cloud.load import Load, check_files, children

pytestmark = pytest.mark.cloud

Begin = Callable[..., Running]
Victims = Callable[[int], list[int]]
ROUNDS = max(2, int(os.environ.get("CRANE_SOAK_ROUNDS", "0")) // 10)
_DRAWN = random.Random(4)  # noqa: S311 (the same moments in each run)
MOMENTS = [_DRAWN.randint(15, 120) for _ in range(ROUNDS)]


def _cloud(pid: int) -> list[int]:
    return [pid]


def _node(pid: int) -> list[int]:
    return list(children(pid))


def _workerd(pid: int) -> list[int]:
    """All that run, including those of a trial; for a moment there is none while a changed one starts."""
    found = iter(lambda: [workerd for node in children(pid) for workerd in children(node)], None)
    return next(pids for pids in found if pids)


def _all(pid: int) -> list[int]:
    return [pid, *_node(pid), *_workerd(pid)]


def _end(victims: Victims, cloud: int) -> None:
    for pid in victims(cloud):
        with contextlib.suppress(ProcessLookupError):  # ended by itself since it was seen
            os.kill(pid, signal.SIGKILL)


def _check(begin: Begin, running: Running, load: Load) -> None:
    """Check the cloud's answers after a restart, and its files after a stop."""
    load.check(running)
    daemon.stop(running.folder)
    again = begin(running.folder)
    load.check(again)
    with api_of(again).http as http:
        url = f"{again.api_url}/accounts/{again.account_id}/d1/database?per_page=1000"
        databases = {database["uuid"] for database in http.get(url).json()["result"]}
    daemon.stop(running.folder)
    check_files(running.folder, databases)


def test_a_killed_cloud_keeps_everything_it_acknowledged(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    load = Load(running)
    for victims, moment in itertools.product((_cloud, _all), MOMENTS):
        load.run(running, moment, partial(_end, victims, running.pid))
        assert is_free_within(running.folder, 60)
        running = begin(running.folder)
        load.check(running)
    _check(begin, running, load)


def test_a_cloud_whose_runtime_is_killed_keeps_running_with_everything_it_acknowledged(begin: Begin, tmp_path: Path) -> None:
    running = begin(tmp_path / "cloud")
    load = Load(running)
    for victims, moment in itertools.product((_node, _workerd), MOMENTS):
        load.run(running, moment, partial(_end, victims, running.pid))
        load.check(running)
    _check(begin, running, load)
