"""The edge: ``/edge/{label}/{path}`` stands for ``https://{label}.{subdomain}.workers.dev/{path}``.

A label names a script, which a version of the deployment on the edge answers, or one version of a script (previews.py). Custom domains,
routes and WebSockets are not emulated. The version is chosen when the request passes to the runtime, so a version that has just been
removed never answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.websockets import WebSocketClose

from local_cloud.workerd.node import NodeError
from local_cloud.workers.choose_version import OVERRIDES, chosen
from local_cloud.workers.previews import previewed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from local_cloud.cloud import Cloud
    from local_cloud.workerd.runtime import Headers

PREFIX = "/edge"
_THREW = "crane-threw"
"""The header with which gate.mjs says that the worker threw."""
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
        if request.headers.get("upgrade", "").lower() == "websocket":
            await PlainTextResponse("The local cloud does not emulate WebSockets", 501)(scope, receive, send)
            return
        try:
            await self._answer(request, scope, receive, send)
        except (httpx.TransportError, NodeError):
            await PlainTextResponse("error code: 1102", 503)(scope, receive, send)

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        label, url = self._target(request)
        headers = [(name, value) for name, value in request.headers.raw if name not in _HOP and not name.startswith(b"crane-")]
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        body = request.stream() if has_body else None
        self._cloud.settle()
        self._wake(label)
        answering = list[str | None]()

        def choose() -> str | None:
            answering[:] = [self._version(label, request)]
            return answering[0]

        await self._cloud.open_databases.kept()  # the worker may write too
        async with self._cloud.workerd.fetch(choose, url, request.method, headers, body) as reply:
            if reply and answering[0]:
                self._cloud.invocations.record(label, answering[0], threw=_THREW in reply.headers)
            await (_relayed(reply) if reply else PlainTextResponse("There is nothing here yet", 404))(scope, receive, send)

    def _target(self, request: Request) -> tuple[str, str]:
        raw = request.scope["raw_path"].decode("ascii").removeprefix(f"{PREFIX}/")
        label, _, rest = raw.partition("/")
        query = request.scope["query_string"].decode("ascii")
        return label, f"https://{label}.{self._cloud.subdomain}.workers.dev/{rest}{'?' if query else ''}{query}"

    def _wake(self, label: str) -> None:
        """Start the version whose own address is requested."""
        store = self._cloud.store
        version = previewed(store, label) if store.named("worker", label) is None else None
        if version is not None and self._cloud.previews.use(version["id"]):
            self._cloud.workerd.touch()

    def _version(self, label: str, request: Request) -> str | None:
        store = self._cloud.store
        worker = store.named("worker", label)
        if worker is None:
            version = previewed(store, label)
            return version["id"] if version and version["id"] in self._cloud.previews.ids else None
        deployment = self._cloud.seen(worker["id"])
        if deployment is None or not worker["subdomain"]["enabled"]:
            return None
        headers = dict(request.headers)
        if self._cloud.behaviour.ignores_version_overrides:
            headers.pop(OVERRIDES, None)
        return chosen(deployment, label, headers, lambda ident: int((store.get("version", ident) or {}).get("number", 0)))


def _relayed(reply: httpx.Response) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        async for chunk in reply.aiter_raw():
            yield chunk

    response = StreamingResponse(body(), reply.status_code)
    kept: Headers = [(name.lower(), value) for name, value in reply.headers.raw if name.lower() not in {*_HOP, _THREW.encode()}]
    response.raw_headers = kept
    return response
