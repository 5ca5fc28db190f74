"""Calls at once go through many small pools of connections, and calls one after another through one connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from crane_infra.d1.clients import Clients

REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BROKEN = b"not HTTP\r\n\r\n"
SECONDS = 60.0


class Held:
    """A server whose replies wait until as many requests are there as it is told; it counts connections, and how many requests wait at most."""

    def __init__(self, together: int, reply: bytes = REPLY) -> None:
        self.together, self.reply = together, reply
        self.connections = self.waiting = self.most = 0
        self.begun, self.all_there = asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.waiting += 1
                self.begun.set()
                self.most = max(self.most, self.waiting)
                if self.waiting >= self.together:
                    self.all_there.set()
                await self.all_there.wait()
                self.waiting -= 1
                writer.write(self.reply)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def asking(server: Held) -> AsyncIterator[Clients]:
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()[:2]
    async with Clients(f"http://{host}:{port}") as clients:
        yield clients
    listening.close()


async def ask(clients: Clients, count: int) -> None:
    replies = await asyncio.wait_for(asyncio.gather(*(clients.request("GET", f"/{number}") for number in range(count))), SECONDS)
    assert {reply.status_code for reply in replies} == {200}


async def test_calls_one_after_another_share_a_connection() -> None:
    server = Held(1)
    async with asking(server) as clients:
        for _ in range(5):
            await ask(clients, 1)
    assert server.connections == 1


async def test_a_hundred_calls_are_under_way_at_once_and_no_more() -> None:
    server = Held(100)
    async with asking(server) as clients:
        await ask(clients, 250)
        assert server.most == 100
        assert server.connections == 100


async def test_connections_of_calls_that_were_under_way_together_serve_the_next_ones() -> None:
    server = Held(30)
    async with asking(server) as clients:
        await ask(clients, 30)
        await ask(clients, 30)
    assert server.connections == 30


async def test_a_call_that_fails_leaves_its_client_to_the_next() -> None:
    server = Held(1, BROKEN)
    async with asking(server) as clients:
        for _ in range(3):
            with pytest.raises(httpx.RemoteProtocolError):
                await clients.request("GET", "/")
        server.reply = REPLY
        await ask(clients, 1)
    assert server.connections == 4


async def test_a_call_that_is_given_up_leaves_its_client_to_the_next() -> None:
    server = Held(2)
    async with asking(server) as clients:
        given_up = asyncio.ensure_future(clients.request("GET", "/"))
        await asyncio.wait_for(server.begun.wait(), SECONDS)
        given_up.cancel()
        await asyncio.wait({given_up})
        server.all_there.set()
        await ask(clients, 1)


async def test_an_address_that_a_proxy_stands_before_is_asked_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Held(1)
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()[:2]
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://{host}:{port}")
    async with Clients("http://api.invalid") as clients:
        await ask(clients, 1)
    listening.close()
    assert server.connections == 1
