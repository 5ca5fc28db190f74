"""A query or a request right after the runtime was killed, before anybody has noticed: nothing was sent to it, so the next runtime answers."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_cloud.workerd.install import ensure_modules
from local_cloud.workerd.runtime import Workerd
from local_cloud.workers.runtime_options import options
from tests.cloud import Body, modules
from tests.repository import ROOT

pytestmark = [pytest.mark.cloud]

SECONDS = 60
DATABASE = "10ca1000-0000-4000-8000-000000000001"
VERSION: Body = {
    "id": "echo",
    "main_module": "index.js",
    "modules": modules("export default { fetch: async (request) => new Response(await request.text()) };"),
    "bindings": [],
    "compatibility_flags": [],
}
WORKER = {**options(VERSION, lambda _: None), "isLoaded": True}


async def asked_around_a_kill(folder: Path, ask: Callable[[Workerd], Awaitable[object]]) -> list[object]:
    """The answers before and after the kill, in between which the event loop does not run."""
    (folder / "d1").mkdir()
    lock = os.open(folder, os.O_RDONLY)
    runtime = ensure_modules(ROOT / ".crane" / "runtime")
    workerd = Workerd(runtime, folder / "d1", lambda: {"workers": [WORKER]}, keep_open=lock)
    try:
        await workerd.start()
        before = await ask(workerd)
        kill(workerd)
        return [before, await ask(workerd)]
    finally:
        await workerd.stop()
        os.close(lock)


async def a_query(workerd: Workerd) -> object:
    """The rows of a query."""
    (result,) = await workerd.query(DATABASE, [{"sql": "SELECT 1 AS one", "params": []}])
    return result["results"]["rows"]


async def a_request(workerd: Workerd) -> object:
    """What a worker makes of a body."""

    async def body() -> AsyncIterator[bytes]:
        yield b"sent once"

    async with workerd.fetch(lambda: "echo", "https://echo.example/", "POST", [(b"transfer-encoding", b"chunked")], body()) as reply:
        assert reply is not None
        return (reply.status, await reply.body())


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


@pytest.mark.parametrize(("ask", "answer"), [(a_query, [[1]]), (a_request, (200, b"sent once"))])
def test_what_is_asked_goes_to_the_next_one(tmp_path: Path, ask: Callable[[Workerd], Awaitable[object]], answer: object) -> None:
    assert asyncio.run(asked_around_a_kill(tmp_path, ask)) == [answer, answer]
