"""What a request to workerd makes of a reply, however that is framed and wherever it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from local_cloud.workerd.connections import Connections, LostReplyError, NotConnectedError
from tests.raw_server import CHUNKED, SECONDS, WHOLE, Replies, Serve, listening, nobody_listening, request_from

ROOM = 1 << 18
Use = Callable[[Connections, tuple[str, int]], Awaitable[object]]


def around(serve: Serve, use: Use) -> object:
    """What ``use`` gives while this server listens."""

    async def run() -> object:
        async with listening(serve) as address:
            connections = Connections()
            try:
                return await asyncio.wait_for(use(connections, address), SECONDS)
            finally:
                connections.close()

    return asyncio.run(run())


def asking(method: str = "GET", times: int = 1, body: Callable[[], AsyncIterator[bytes]] | None = None) -> Use:
    """Status and body of each of some replies, or the error in place of one."""

    async def use(connections: Connections, address: tuple[str, int]) -> list[object]:
        results: list[object] = []
        for _ in range(times):
            try:
                async with connections.fetch(address, method, [(b"x-one", b"1")], body() if body else None, SECONDS) as reply:
                    results.append((reply.status, await reply.body()))
            except LostReplyError:
                results.append("lost")
        return results

    return use


@pytest.mark.parametrize(
    ("method", "reply", "result"),
    [
        ("GET", WHOLE, (200, b"whole")),
        ("GET", CHUNKED, (201, b"in parts")),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nto the end", (200, b"to the end")),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + WHOLE, (200, b"whole")),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", (200, b"")),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", (304, b"")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        ("GET", b"", "lost"),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-le", "lost"),
        ("GET", b"no HTTP at all\r\n\r\n", "lost"),
    ],
)
def test_each_way_to_frame_a_reply_is_read(method: str, reply: bytes, result: object) -> None:
    assert around(Replies(reply), asking(method)) == [result]


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf"],
)
def test_a_body_that_ends_early_is_never_taken_for_whole(reply: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(reply)

    assert around(serve, asking()) == ["lost"]


def test_a_connection_is_used_again_once_its_reply_was_read() -> None:
    server = Replies(WHOLE, WHOLE, WHOLE)
    assert around(server, asking(times=3)) == [(200, b"whole")] * 3
    assert server.connections == 1


def test_a_reply_without_a_body_takes_no_part_of_the_next_one() -> None:
    server = Replies(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", WHOLE)
    assert around(server, asking(times=2)) == [(304, b""), (200, b"whole")]
    assert server.connections == 2


def test_what_nobody_read_is_not_part_of_the_next_reply() -> None:
    async def use(connections: Connections, address: tuple[str, int]) -> object:
        async with connections.fetch(address, "GET", [], None, SECONDS):
            pass
        async with connections.fetch(address, "GET", [], None, SECONDS) as reply:
            return await reply.body()

    assert around(Replies(WHOLE, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext"), use) == b"next"


def test_a_body_without_a_length_is_sent_in_chunks_and_no_body_as_a_length_of_zero() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one, "
        yield b""
        yield b"two"

    server = Replies(WHOLE, WHOLE)
    assert around(server, asking("POST", body=body)) == [(200, b"whole")]
    assert around(server, asking("POST")) == [(200, b"whole")]
    chunked, empty = server.requests
    assert chunked.endswith(b"transfer-encoding: chunked\r\n\r\n5\r\none, \r\n3\r\ntwo\r\n0\r\n\r\n")
    assert empty.endswith(b"content-length: 0\r\n\r\n")


def test_a_reply_is_read_as_it_comes_and_a_large_one_waits_for_its_reader() -> None:
    size, more = 64 * ROOM, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_from(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\nfirst" % (5 + size))
        await more.wait()
        writer.write(bytes(size))
        await writer.drain()

    async def use(connections: Connections, address: tuple[str, int]) -> object:
        async with connections.fetch(address, "GET", [], None, SECONDS) as reply:
            parts, exchange = reply.parts(), reply._exchange
            first = await anext(parts)
            more.set()
            while not exchange._is_paused:  # noqa: ASYNC110 (no event tells it)
                await asyncio.sleep(0)
            waiting = exchange._unread_bytes
            return (first, waiting < size // 2, sum([len(part) async for part in parts]))

    assert around(serve, use) == (b"first", True, size)


def test_where_nobody_listens_nothing_was_sent() -> None:
    async def run(address: tuple[str, int]) -> None:
        with pytest.raises(NotConnectedError):
            async with Connections().fetch(address, "GET", [], None, SECONDS):
                pass

    with nobody_listening() as address:
        asyncio.run(run(address))
