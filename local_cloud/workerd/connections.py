"""Kept connections to workerd for queries: one request and one whole reply at a time on each.

Queries are most of what the local cloud does, and a client for everything spends more time on one than all other parts together. httptools,
which uvicorn reads requests with, reads the replies. Requests to workers are streams and go through httpx.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 64
_IDLE_SECONDS = 1.0  # well under workerd's own 5, or a request may go into a connection that it closes at that moment


class NotConnectedError(Exception):
    """Nobody listens: nothing was sent."""


class LostReplyError(Exception):
    """The connection ended before the whole reply had come; whether the request took effect is not known."""


class Connections:
    """The connections to one address after another; a new address ends those to the one before."""

    def __init__(self) -> None:
        """Start with none."""
        self._free: list[_Connection] = []
        self._address = ("", 0)
        self._room = asyncio.Semaphore(_MOST)

    async def post(self, address: tuple[str, int], headers: Mapping[str, str], body: bytes, seconds: float, path: str = "/") -> bytes:
        """Send a request and give the body of its reply, whatever its status.

        Raises NotConnectedError, LostReplyError, and TimeoutError when the reply takes longer than ``seconds``.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nhost: {address[0]}\r\n{lines}content-length: {len(body)}\r\n\r\n"
        async with self._room:
            connection = self._kept(address) or await _connected(address)
            with self._keeping(connection):
                return await asyncio.wait_for(connection.answer(head.encode("ascii") + body), seconds)

    def close(self) -> None:
        """Close the kept connections."""
        while self._free:
            self._free.pop().close()

    @contextlib.contextmanager
    def _keeping(self, connection: _Connection) -> Iterator[None]:
        """Keep a connection whose reply came whole, and close any other."""
        try:
            yield
        except BaseException:
            connection.close()
            raise
        self._free.append(connection)

    def _kept(self, address: tuple[str, int]) -> _Connection | None:
        if address != self._address:
            self.close()
            self._address = address
        now = asyncio.get_running_loop().time()
        while self._free:
            connection = self._free.pop()
            if now - connection.used_at < _IDLE_SECONDS and connection.is_usable:
                return connection
            connection.close()
        return None


class _Connection(asyncio.Protocol):
    """One connection; ``used_at`` is when its last reply was complete."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[bytes] | None = None
        self._parts: list[bytes] = []
        self._is_open, self.used_at = True, self._loop.time()

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent: the other side has not closed it, even if the event loop does not know yet."""
        if self._transport is None or not self._is_open:
            return False
        ended = select.poll()
        ended.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not ended.poll(0)

    async def answer(self, request: bytes) -> bytes:
        """Send a request and give the body of its reply; raises LostReplyError."""
        self._reply, self._parts = self._loop.create_future(), []
        if self._transport is None or not self._is_open:
            raise LostReplyError
        self._transport.write(request)
        return await self._reply

    def close(self) -> None:
        """Close the connection."""
        self._is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio)."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read a part of a reply (asyncio)."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request under way (asyncio)."""
        self._is_open = False
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(LostReplyError())
            self._reply.exception()  # nobody may wait for it any more
        del exc

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body (httptools)."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """Give the whole body (httptools)."""
        self._is_open = self._is_open and self._parser.should_keep_alive()
        self.used_at = self._loop.time()
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(b"".join(self._parts))


async def _connected(address: tuple[str, int]) -> _Connection:
    try:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, *address)
    except OSError as error:
        raise NotConnectedError from error
    return connection
