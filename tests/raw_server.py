"""A server that answers with the bytes that a test gives it, right or wrong."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

SECONDS = 60.0
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"
CHUNKED = b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n2\r\nin\r\n6\r\n parts\r\n0\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Replies:
    """Answers each request with the next of these; after one that has no length it ends the connection."""

    def __init__(self, *replies: bytes) -> None:
        self.replies, self.requests, self.connections = list(replies), list[bytes](), 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self.replies:
                self.requests.append(await request_from(reader))
                reply = self.replies.pop(0)
                writer.write(reply)
                await writer.drain()
                if b"content-length: " not in reply and b"chunked" not in reply:
                    break


async def request_from(reader: asyncio.StreamReader) -> bytes:
    """One whole request, as it was sent."""
    head = await reader.readuntil(b"\r\n\r\n")
    small = head.lower()
    if b"transfer-encoding: chunked" in small:
        return head + await reader.readuntil(b"0\r\n\r\n")
    length = next((line.partition(b": ")[2] for line in small.split(b"\r\n") if line.startswith(b"content-length")), b"0")
    return head + await reader.readexactly(int(length))


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[tuple[str, int]]:
    """The address of a server while it listens; at the end each of its connections ends."""
    served: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.ensure_future(_handled(serve, reader, writer)))
        await asyncio.wait(served[-1:])

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    async with server:
        try:
            yield server.sockets[0].getsockname()[:2]
        finally:
            await asyncio.wait_for(asyncio.gather(*served), SECONDS)


@contextlib.contextmanager
def nobody_listening() -> Iterator[tuple[str, int]]:
    """An address at which nobody listens, and nobody else can meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()


async def _handled(serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await serve(reader, writer)
    finally:
        with contextlib.suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()
