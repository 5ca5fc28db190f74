"""The edge: ``/edge/{label}/{path}`` stands for ``https://{label}.{subdomain}.workers.dev/{path}``.

A label names a script, which a version of the deployment on the edge answers, or one version of a script (previews.py). Custom domains,
routes and WebSockets are not emulated. The version is chosen when the request passes to the runtime, so a version that has just been
removed never answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.websockets import WebSocketClose

from local_cloud.workerd.connections import LostReplyError, NotConnectedError
from local_cloud.workerd.node import NodeError
from local_cloud.workers.choose_version import AFFINITY, OVERRIDES, chosen
from local_cloud.workers.previews import previewed

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from local_cloud.cloud import Cloud
    from local_cloud.workerd.connections import Headers, Reply

PREFIX = "/edge"
_THREW = b"crane-threw"
"""The header with which gate.mjs says that the worker threw."""
_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"expect", b"proxy-connection", b"host"}
_OF_A_BODY = {b"content-length", b"transfer-encoding"}


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
        headers: Headers = scope["headers"]
        if (_value(headers, b"upgrade") or "").lower() == "websocket":
            await PlainTextResponse("The local cloud does not emulate WebSockets", 501)(scope, receive, send)
            return
        try:
            await self._answer(headers, scope, receive, send)
        except (NotConnectedError, LostReplyError, NodeError):
            await PlainTextResponse("error code: 1102", 503)(scope, receive, send)

    async def _answer(self, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        label, url = self._target(scope)
        passed = [(name, value) for name, value in headers if name not in _HOP and not name.startswith(b"crane-")]
        has_body = any(name in _OF_A_BODY for name, _ in headers)
        body = Request(scope, receive).stream() if has_body else None
        self._cloud.settle()
        self._wake(label)
        answering = list[str | None]()

        def choose() -> str | None:
            answering[:] = [self._version(label, headers)]
            return answering[0]

        await self._cloud.open_databases.kept()  # the worker may write too
        async with self._cloud.workerd.fetch(choose, url, scope["method"], passed, body) as reply:
            if reply is None or not answering[0]:
                await PlainTextResponse("There is nothing here yet", 404)(scope, receive, send)
                return
            self._cloud.invocations.record(label, answering[0], threw=any(name == _THREW for name, _ in reply.headers))
            await _relay(reply, scope, receive, send)

    def _target(self, scope: Scope) -> tuple[str, str]:
        raw = scope["raw_path"].decode("ascii").removeprefix(f"{PREFIX}/")
        label, _, rest = raw.partition("/")
        query = scope["query_string"].decode("ascii")
        return label, f"https://{label}.{self._cloud.subdomain}.workers.dev/{rest}{'?' if query else ''}{query}"

    def _wake(self, label: str) -> None:
        """Start the version whose own address is requested."""
        store = self._cloud.store
        version = previewed(store, label) if store.named("worker", label) is None else None
        if version is not None and self._cloud.previews.use(version["id"]):
            self._cloud.workerd.touch()

    def _version(self, label: str, headers: Headers) -> str | None:
        store = self._cloud.store
        worker = store.named("worker", label)
        if worker is None:
            version = previewed(store, label)
            return version["id"] if version and version["id"] in self._cloud.previews.ids else None
        deployment = self._cloud.seen(worker["id"])
        if deployment is None or not worker["subdomain"]["enabled"]:
            return None
        named = {name: value for name in (OVERRIDES, AFFINITY) if (value := _value(headers, name.encode())) is not None}
        if self._cloud.behaviour.ignores_version_overrides:
            named.pop(OVERRIDES, None)
        return chosen(deployment, label, named, lambda ident: int((store.get("version", ident) or {}).get("number", 0)))


def _value(headers: Headers, name: bytes) -> str | None:
    """The value of a header, the first where there are several; None where there is none."""
    return next((value.decode("latin-1") for known, value in headers if known == name), None)


async def _relay(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """Pass a reply on: at once where all of it is here, else as it comes, for as long as the client listens."""
    headers = [(name, value) for name, value in ((name.lower(), value) for name, value in reply.headers) if name not in {*_HOP, _THREW}]
    if reply.is_whole:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": await reply.body()})
        return
    response = StreamingResponse(reply.parts(), reply.status)
    response.raw_headers = headers
    await response(scope, receive, send)
