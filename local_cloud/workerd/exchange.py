"""One connection to workerd: a request and its reply at a time. The body of either may be a stream.

httptools, which uvicorn reads requests with, reads the replies. It knows nothing of other connections.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MOST_UNREAD = 1 << 18
"""Bytes of a reply that wait for their reader; then workerd has to wait."""
_NOT_MODIFIED, _FIRST_FINAL = 304, 200


class LostReplyError(Exception):
    """The connection ended, or too much time had passed, before the whole reply had come; whether the request took effect is not known."""


class Exchange(asyncio.Protocol):
    """A connection, and the reply that it carries; ``used_at`` is when the last reply was complete."""

    def __init__(self) -> None:
        """Begin without a request."""
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._unread: list[bytes] = []
        self._unread_bytes, self._is_paused = 0, False
        self._is_open, self.used_at = True, self._loop.time()
        self._begin(has_no_body=False)

    def _begin(self, *, has_no_body: bool) -> None:
        self.status, self.headers, self.is_whole = 0, list[tuple[bytes, bytes]](), False
        self._has_head, self._has_no_body = False, has_no_body
        self._take()

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent: the other side has not closed it, even if the event loop does not know yet."""
        if self._transport is None or not self._is_open or not self.is_whole:
            return False
        ended = select.poll()
        ended.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not ended.poll(0)

    async def ask(self, head: bytes, body: bytes | AsyncIterator[bytes], seconds: float, *, is_chunked: bool = False) -> None:
        """Send a request and wait for the head of its reply, each part for at most ``seconds``; raises LostReplyError."""
        self._begin(has_no_body=head.startswith(b"HEAD "))
        if isinstance(body, bytes):
            self._write(head + body)
        else:
            self._write(head)
            async for part in body:
                if not self._is_open:
                    break
                self._write(b"%x\r\n%b\r\n" % (len(part), part) if part and is_chunked else part)
                await self._written(seconds)
            self._write(b"0\r\n\r\n" if is_chunked else b"")
        while not self._has_head:
            await self._wait(seconds)

    async def parts(self, seconds: float) -> AsyncIterator[bytes]:
        """The body of the reply, as it comes, each part within ``seconds``; raises LostReplyError."""
        while True:
            while not self._unread and not self.is_whole:
                await self._wait(seconds)
            if not self._unread:
                return
            yield self._take()

    def close(self) -> None:
        """Close the connection."""
        self._is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _take(self) -> bytes:
        """What has come of the body since the last time."""
        part, self._unread, self._unread_bytes = b"".join(self._unread), [], 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return part

    async def _wait(self, seconds: float) -> None:
        """Wait until something comes."""
        if not self._is_open:
            raise LostReplyError
        self._arrival = self._loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._arrival
        except TimeoutError as error:
            raise LostReplyError from error

    async def _written(self, seconds: float) -> None:
        """Wait until there is room for another part of the request."""
        if self._room is not None:
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.shield(self._room)
            except TimeoutError as error:
                raise LostReplyError from error

    def _write(self, data: bytes) -> None:
        if self._transport is not None and self._is_open and data:
            self._transport.write(data)

    def _woken(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _has_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio)."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read a part of a reply (asyncio)."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
        if self._unread_bytes > _MOST_UNREAD and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._woken()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request under way (asyncio); a body without a length ends here."""
        self._is_open = False
        framing = {name.lower() for name, _ in self.headers} & {b"content-length", b"transfer-encoding"}
        self.is_whole = self.is_whole or (exc is None and self._has_head and not framing)
        self._woken()
        self._has_room()

    def pause_writing(self) -> None:
        """Let the request wait (asyncio)."""
        self._room = self._room or self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the request go on (asyncio)."""
        self._has_room()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header (httptools)."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Note the end of the head (httptools); the head before the real one counts for nothing."""
        self.status = self._parser.get_status_code()
        if self.status < _FIRST_FINAL:
            self.headers.clear()
            return
        self._has_head = True
        if self._has_no_body or self.status == _NOT_MODIFIED:
            # httptools would wait for what a length promises, so no other reply can be read here.
            self.is_whole, self._is_open = True, False

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body (httptools)."""
        self._unread.append(part)
        self._unread_bytes += len(part)

    def on_message_complete(self) -> None:
        """Note the end of the reply (httptools)."""
        if self._has_head:
            self._is_open = self._is_open and self._parser.should_keep_alive()
            self.is_whole, self.used_at = True, self._loop.time()
