"""The local cloud's process: Node with workerd, the REST API and the edge on one port, the admin API on another, the stand-in provider.

It holds a lock on its folder, which Node inherits: a second cloud cannot start on the same files, even while the Node of a
killed one is still ending. ``serve.py`` starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import importlib.util
import json
import os
import secrets
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from local_cloud.cloud import Cloud
from local_cloud.errors import LocalCloudError
from local_cloud.faults.connection import Severable
from local_cloud.faults.injector import Injector
from local_cloud.faults.log import CallLog
from local_cloud.ids import ACCOUNT_ID
from local_cloud.lock import hold
from local_cloud.private import keep_private
from local_cloud.server.admin import admin_app
from local_cloud.server.app import API, public_app, routes
from local_cloud.store import Store
from local_cloud.workerd.paths import databases_of, remove_strays
from local_cloud.workerd.runtime import Workerd
from local_cloud.workers.runtime_options import what_runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import ModuleType

    from starlette.types import ASGIApp

HOST = "127.0.0.1"
_LOCK_SECONDS, _LOOK_SECONDS = 60.0, 1.0
_IDLE_SECONDS = 600  # longer than clients keep a connection: whichever side closes it first can lose a request under way


async def serve(folder: Path, modules: Path, instance: str, port: int, subdomain: str, program: Path) -> None:
    """Serve the cloud whose state is in ``folder`` until SIGTERM, SIGINT, or the folder's removal.

    ``program`` is the folder of the programs that use the stand-in provider.

    Raises LocalCloudError when it cannot start.
    """
    stopping = _stop_signal()
    async with contextlib.AsyncExitStack() as stack:
        lock = stack.enter_context(hold(folder, _LOCK_SECONDS))
        keep_private(folder)
        store = Store(folder / "state.sqlite")
        stack.callback(store.close)
        listener, admin = stack.enter_context(_listen(port or int(store.fact("port") or 0))), stack.enter_context(_listen(0))
        workerd = Workerd(modules, databases_of(folder), lambda: what_runs(store), keep_open=lock)
        stack.push_async_callback(workerd.stop)
        remove_strays(workerd.databases, {database["uuid"] for database in store.all("database")})
        provider = asyncio.create_task(asyncio.to_thread(_import_provider))  # takes about as long as starting Node
        await workerd.start()
        token = store.fact("token") or store.remember("token", secrets.token_hex(20))
        cloud = Cloud(instance, token, subdomain, store, workerd, Injector(routes()), CallLog())
        admin_token = secrets.token_hex(20)
        await stack.enter_async_context(_serving(public_app(cloud), listener))
        await stack.enter_async_context(_serving(admin_app(cloud, admin_token), admin))
        base = f"http://{HOST}:{_port(listener)}"
        provider_port = await stack.enter_async_context(
            _serving_provider(await provider, base + API, cloud, program, int(store.fact("provider_port") or 0))
        )
        store.remember("port", str(_port(listener)))
        store.remember("provider_port", str(provider_port))
        admin_url = f"http://{HOST}:{_port(admin)}"
        _announce(folder, cloud, base, admin_url=admin_url, admin_token=admin_token, provider_port=provider_port)
        await _stopped(stopping, lock)


async def _stopped(stopping: asyncio.Event, lock: int) -> None:
    """Wait for a signal, or until the lock file is gone because the folder was deleted."""
    while not stopping.is_set() and os.fstat(lock).st_nlink:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)


def _import_provider() -> ModuleType | None:
    name = "local_cloud.provider"
    return None if importlib.util.find_spec(name) is None else importlib.import_module(name)


@contextlib.asynccontextmanager
async def _serving_provider(provider: ModuleType | None, base_url: str, cloud: Cloud, program: Path, port: int) -> AsyncIterator[int]:
    """Run the stand-in provider and give its port; 0 when it is not installed.

    It keeps its ``port``, which shells know from ``crane local env``, unless another program uses it now.
    """
    if provider is None:
        yield 0
        return
    options: dict[str, Any] = {"pause_factor": lambda: cloud.behaviour.provider_pause_factor, "folder": program}
    start = functools.partial(provider.start_provider, base_url, cloud.token, **options)
    try:
        server = await start(port=port)
    except LocalCloudError:
        server = await start()
    try:
        yield int(server.port)
    finally:
        await server.stop()


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the handling of signals to this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        http=Severable,
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=_IDLE_SECONDS,
        server_header=False,
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    with socket.socket(
        proto=socket.IPPROTO_TCP
    ) as listener:  # without the protocol asyncio leaves Nagle's algorithm on, which costs 40 ms a reply
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(128)
        except OSError as error:
            todo = "Stop the process that listens there, or start the local cloud on another port"
            raise LocalCloudError(f"{HOST}:{port}", "the port is in use", todo) from error
        yield listener


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _stop_signal() -> asyncio.Event:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _announce(folder: Path, cloud: Cloud, base: str, **served: str | int) -> None:
    facts: dict[str, Any] = {
        "pid": os.getpid(),
        "instance_id": cloud.instance,
        "port": int(base.rpartition(":")[2]),
        "api_url": base + API,
        "edge_url": f"{base}/edge",
        "account_id": ACCOUNT_ID,
        "token": cloud.token,
        **served,
    }
    temporary = folder / "cloud.json.new"
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        json.dump(facts, file, indent=2)
    temporary.rename(folder / "cloud.json")
