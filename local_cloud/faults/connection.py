"""Replies that end the connection: what a client sees is a real TCP close, never a status.

ASGI has no word for it. uvicorn lets a protocol class put things into the state of each of its requests; ``Severable`` puts the connection's
transport there, and the replies here close it and wait until it is gone, so that uvicorn does not answer in their place. Only a
server that runs with ``http=Severable`` can send them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send


class Severable(H11Protocol):
    """uvicorn's HTTP/1.1, with the connection within reach of a reply."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let each request of this connection know its transport."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Silence(Response):
    """No reply at all: the connection ends at once. Its status is 0, which no reply has."""

    def __init__(self) -> None:
        super().__init__(status_code=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (nothing is sent)
        """End the connection, with nothing sent."""
        _transport(scope).abort()
        await _gone(receive)


class HalfReply(Response):
    """The head of a reply, which promises its whole body, and half of that; then the connection ends."""

    def __init__(self, whole: Response) -> None:
        super().__init__(bytes(whole.body[: len(whole.body) // 2]), whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half and end the connection once it is out."""
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
