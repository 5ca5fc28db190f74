"""What the measurements are compared with: bare Miniflare run by node, D1 inside it, and our HTTP framework with a constant answer."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from local_cloud.workerd.install import node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

_SCRIPT = Path(__file__).with_name("bare.mjs")
_ANSWER = {"success": True, "errors": [], "messages": [], "result": [{"results": [{"1": 1}], "success": True, "meta": {}}]}


def start_and_end(modules: Path) -> None:
    """Start Miniflare on an empty script, and wait until it serves. It ends by itself."""
    command = [str(node()), str(_SCRIPT), str(modules), "start"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 (our own command)
    if process.stdout is None or json.loads(process.stdout.readline()) != "ready":
        raise RuntimeError("bare Miniflare did not start")
    threading.Thread(target=process.communicate).start()


def d1_milliseconds(modules: Path, folder: Path, times: int) -> dict[str, float]:
    """The mean time of a statement that a worker sends to its database, in milliseconds, by its SQL."""
    command = [str(node()), str(_SCRIPT), str(modules), "d1", str(folder), str(times)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 (our own command)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@contextlib.contextmanager
def constant_server() -> Iterator[str]:
    """Serve one constant answer with our framework, in a thread. Yields its address."""

    async def answer(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse(_ANSWER)

    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False))
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # without it asyncio leaves Nagle on: 40 ms a reply
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
