"""Replies that end the connection: the client sees a real TCP close, not a status.

ASGI has no such reply. uvicorn lets a protocol class add to the state of each request: ``Severable`` adds the connection's transport,
and the replies here close it and wait until it is closed, so that uvicorn does not answer instead. Only a server that runs with
``http=Severable`` can send them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send


class Severable(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, which gives replies access to the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the transport into the state of each request of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Silence(Response):
    """No reply: the connection ends at once. Its status is 0, which no real reply has."""

    def __init__(self) -> None:
        super().__init__(status_code=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (nothing is sent)
        """End the connection and send nothing."""
        _transport(scope).abort()
        await _gone(receive)


class HalfReply(Response):
    """The head of a reply, which announces the whole body, and half of the body; then the connection ends."""

    def __init__(self, whole: Response) -> None:
        super().__init__(bytes(whole.body[: len(whole.body) // 2]), whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half and then end the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        _transport(scope).close()
        await _gone(receive)


def _transport(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["state"]["transport"]
    return transport


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
