"""A query right after the runtime was killed, before anybody has noticed: nothing was sent to it, so the next runtime answers."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_cloud.workerd.install import ensure_modules
from local_cloud.workerd.runtime import Workerd
from tests.repository import ROOT

pytestmark = [pytest.mark.cloud]

SECONDS = 60
DATABASE = "10ca1000-0000-4000-8000-000000000001"


async def asked_around_a_kill(folder: Path) -> list[list[dict[str, object]]]:
    """The results of a query before and after the kill, in between which the event loop does not run."""
    (folder / "d1").mkdir()
    lock = os.open(folder, os.O_RDONLY)
    modules = ensure_modules(ROOT / ".crane" / "runtime")
    workerd = Workerd(modules, folder / "d1", lambda: {"databases": [DATABASE], "workers": []}, keep_open=lock)
    try:
        await workerd.start()
        query = [{"sql": "SELECT 1 AS one", "params": []}]
        before = await workerd.query(DATABASE, query)
        kill(workerd)
        return [before, await workerd.query(DATABASE, query)]
    finally:
        await workerd.stop()
        os.close(lock)


def kill(workerd: Workerd) -> None:
    """Kill Node and workerd, and wait until nobody listens, for a minute at most."""
    assert workerd._node is not None
    os.killpg(workerd._node._process.pid, signal.SIGKILL)
    url, end = urlsplit(workerd._url), time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.closing(socket.socket()) as client:
            if client.connect_ex((url.hostname, url.port)) != 0:
                return
        time.sleep(0.01)
    pytest.fail(f"somebody still listens {SECONDS} s after the kill")


def test_a_query_goes_to_the_next_one(tmp_path: Path) -> None:
    before, after = asyncio.run(asked_around_a_kill(tmp_path))
    assert before[0]["results"] == after[0]["results"], before
