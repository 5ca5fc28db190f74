"""The steps of one run share connections to the API, where its program asks for that; nobody else does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from crane_infra.d1 import api
from crane_infra.d1.answer import Call
from tests.raw_server import SECONDS, Replies, listening

CALL = Call("a read", "Read", "account")
REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


async def steps(address: str, count: int) -> None:
    """So many steps, each with a client of its own that makes one call."""
    for number in range(count):
        async with api.connect(address, f"token-{number}") as connected:
            assert (await connected.get(CALL, "/path")).status == 200


@contextlib.asynccontextmanager
async def ended() -> AsyncIterator[None]:
    """End what is kept, as the end of the process does."""
    try:
        yield
    finally:
        for client in api._KEPT.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()


@pytest.mark.parametrize(("keeps", "connections"), [(True, 1), (False, 3)])
def test_steps_share_a_connection_where_the_program_keeps_them(keeps: bool, connections: int) -> None:  # noqa: FBT001 (a parameter)
    replies = Replies(REPLY, REPLY, REPLY)

    async def run() -> None:
        async with listening(replies) as (host, port), ended():
            if keeps:
                api.keep_connections()
            await asyncio.wait_for(steps(f"http://{host}:{port}", 3), SECONDS)

    asyncio.run(run())
    assert replies.connections == connections
    tokens = [next(line for line in request.split(b"\r\n") if line.lower().startswith(b"authorization")) for request in replies.requests]
    assert [token.partition(b": ")[2] for token in tokens] == [b"Bearer token-0", b"Bearer token-1", b"Bearer token-2"]


def test_another_event_loop_has_connections_of_its_own() -> None:
    replies = Replies(REPLY, REPLY)

    async def run() -> None:
        async with listening(replies) as (host, port), ended():
            api.keep_connections()
            address = f"http://{host}:{port}"
            await asyncio.wait_for(steps(address, 1), SECONDS)
            await asyncio.wait_for(asyncio.to_thread(lambda: asyncio.run(steps(address, 1))), SECONDS)

    asyncio.run(run())
    assert replies.connections == 2


def test_connections_of_two_addresses_are_kept_apart() -> None:
    one, other = Replies(REPLY, REPLY), Replies(REPLY)

    async def run() -> None:
        async with listening(one) as here, listening(other) as there, ended():
            api.keep_connections()
            for host, port in (here, there, here):
                await asyncio.wait_for(steps(f"http://{host}:{port}", 1), SECONDS)

    asyncio.run(run())
    assert (len(one.requests), one.connections, len(other.requests)) == (2, 1, 1)
