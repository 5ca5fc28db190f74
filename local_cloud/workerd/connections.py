"""Kept connections to workerd. One that still carries a request, or whose reply was not read to its end, takes no other request.

Queries and requests to workers are all that the local cloud does, and a client for everything spends more time on one than all other parts together.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from local_cloud.workerd.exchange import Exchange, LostReplyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

__all__ = ["Connections", "LostReplyError", "NotConnectedError", "Reply"]

Headers = list[tuple[bytes, bytes]]
_IDLE_SECONDS = 1.0  # well under workerd's own 5, or a request may go into a connection that it closes at that moment
_WITH_A_LENGTH = {"POST", "PUT", "PATCH"}


class NotConnectedError(Exception):
    """Nobody listens: nothing was sent."""


class Reply:
    """The reply to a request; its body comes in parts, and is read at most once."""

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        """``seconds`` is the longest that a part of the body may take."""
        self.status, self.headers = exchange.status, exchange.headers
        self._exchange, self._seconds = exchange, seconds

    @property
    def is_whole(self) -> bool:
        """Whether all of the body is here, so that ``parts`` gives it at once."""
        return self._exchange.is_whole

    def parts(self) -> AsyncIterator[bytes]:
        """The body as it was sent; raises LostReplyError where it ends early, or a part takes too long."""
        return self._exchange.parts(self._seconds)

    async def body(self) -> bytes:
        """The whole body; raises as ``parts`` does."""
        return b"".join([part async for part in self.parts()])


class Connections:
    """The connections to one address after another; a new address ends those to the one before."""

    def __init__(self, most: int = 64) -> None:
        """Start with none; at most ``most`` carry requests at once."""
        self._free: list[Exchange] = []
        self._address = ("", 0)
        self._room = asyncio.Semaphore(most)

    async def post(self, address: tuple[str, int], headers: Mapping[str, str], body: bytes, seconds: float, path: str = "/") -> bytes:
        """Send a request and give the body of its reply, whatever its status.

        Raises NotConnectedError, LostReplyError, and TimeoutError when the reply takes longer than ``seconds``.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nhost: {address[0]}\r\n{lines}content-length: {len(body)}\r\n\r\n"
        async with self._exchange(address) as exchange, asyncio.timeout(seconds):
            await exchange.ask(head.encode("ascii"), body, 2 * seconds)
            return await Reply(exchange, 2 * seconds).body()

    @contextlib.asynccontextmanager
    async def fetch(
        self, address: tuple[str, int], method: str, headers: Headers, body: AsyncIterator[bytes] | None, seconds: float
    ) -> AsyncIterator[Reply]:
        """Send a request with a body that may be a stream, and read its reply as it comes, each part of either within ``seconds``.

        A body whose length no header tells is sent in chunks. Raises NotConnectedError and LostReplyError.
        """
        has_length = any(name == b"content-length" for name, _ in headers)
        if body is None and method in _WITH_A_LENGTH and not has_length:
            headers = [*headers, (b"content-length", b"0")]
        is_chunked = body is not None and not has_length
        if is_chunked:
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        head = f"{method} / HTTP/1.1\r\nhost: {address[0]}\r\n".encode("ascii") + lines + b"\r\n"
        async with self._exchange(address) as exchange:
            await exchange.ask(head, b"" if body is None else body, seconds, is_chunked=is_chunked)
            yield Reply(exchange, seconds)

    def close(self) -> None:
        """Close the kept connections."""
        while self._free:
            self._free.pop().close()

    @contextlib.asynccontextmanager
    async def _exchange(self, address: tuple[str, int]) -> AsyncIterator[Exchange]:
        """Use a kept connection or a new one; keep it where its reply came whole, and close any other."""
        async with self._room:
            exchange = self._kept(address) or await _connected(address)
            try:
                yield exchange
            except BaseException:
                exchange.close()
                raise
            if exchange.is_whole and address == self._address:
                self._free.append(exchange)
            else:
                exchange.close()

    def _kept(self, address: tuple[str, int]) -> Exchange | None:
        if address != self._address:
            self.close()
            self._address = address
        now = asyncio.get_running_loop().time()
        while self._free:
            exchange = self._free.pop()
            if now - exchange.used_at < _IDLE_SECONDS and exchange.is_usable:
                return exchange
            exchange.close()
        return None


async def _connected(address: tuple[str, int]) -> Exchange:
    try:
        _, exchange = await asyncio.get_running_loop().create_connection(Exchange, *address)
    except OSError as error:
        raise NotConnectedError from error
    return exchange
