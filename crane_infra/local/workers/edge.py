"""The edge: ``/edge/{script}/{path}`` is what ``https://{script}.{subdomain}.workers.dev/{path}`` would be.

Each request is answered by a version of the active deployment, drawn by percentage. Custom domains and routes are not emulated.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.websockets import WebSocketClose

from crane_infra.local.workerd.node import NodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from crane_infra.local.cloud import Cloud
    from crane_infra.local.workerd.runtime import Headers

PREFIX = "/edge"
_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"expect", b"proxy-connection", b"host"}


class Edge:
    """An ASGI application that serves every deployed worker of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve this cloud's workers."""
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; WebSockets are refused."""
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        request = Request(scope, receive)
        script, url = self._target(request)
        version = self._version(script)
        if version is None:
            await PlainTextResponse("There is nothing here yet", 404)(scope, receive, send)
            return
        headers = [(name, value) for name, value in request.headers.raw if name not in _HOP and not name.startswith(b"crane-")]
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        body = request.stream() if has_body else None
        try:
            async with self._cloud.workerd.fetch(version, url, request.method, headers, body) as reply:
                await _relayed(reply)(scope, receive, send)
        except (httpx.TransportError, NodeError):
            await PlainTextResponse("error code: 1102", 503)(scope, receive, send)

    def _target(self, request: Request) -> tuple[str, str]:
        raw = request.scope["raw_path"].decode("ascii").removeprefix(f"{PREFIX}/")
        script, _, rest = raw.partition("/")
        query = request.scope["query_string"].decode("ascii")
        return script, f"https://{script}.{self._cloud.subdomain}.workers.dev/{rest}{'?' if query else ''}{query}"

    def _version(self, script: str) -> str | None:
        worker = self._cloud.store.named("worker", script)
        if worker is None or not worker["subdomain"]["enabled"]:
            return None
        deployment = self._cloud.store.last_child("deployment", worker["id"])
        return draw(deployment["versions"]) if deployment else None


def draw(shares: list[dict[str, object]]) -> str:
    """Draw a version id by percentage; one with 0 is never drawn."""
    weights = [float(str(share["percentage"])) for share in shares]
    return str(random.choices(shares, weights)[0]["version_id"])  # noqa: S311 (no secret)


def _relayed(reply: httpx.Response) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        async for chunk in reply.aiter_raw():
            yield chunk

    response = StreamingResponse(body(), reply.status_code)
    kept: Headers = [(name.lower(), value) for name, value in reply.headers.raw if name.lower() not in _HOP]
    response.raw_headers = kept
    return response
