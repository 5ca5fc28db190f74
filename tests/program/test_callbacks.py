"""All hooks of a program are called through one server."""

import asyncio
import contextvars

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import resource_pb2_grpc
from pulumi.runtime.settings import SETTINGS, _get_callbacks

from crane_infra.program.callbacks import start_callbacks


async def servers_of_twenty_hooks() -> int:
    """How many servers twenty hooks get, each of which the SDK registers in a task of its own."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:
        SETTINGS.monitor, SETTINGS.callbacks = resource_pb2_grpc.ResourceMonitorStub(nobody), None
        start_callbacks()
        tasks = [asyncio.create_task(_get_callbacks()) for _ in range(20)]
        servers = {id(callbacks): callbacks for callbacks in await asyncio.gather(*tasks) if callbacks}
        for callbacks in servers.values():
            await callbacks._server.stop(None)
        return len(servers)


def test_twenty_hooks_share_a_server() -> None:
    """The settings of Pulumi's SDK are context variables: what this sets, no other test sees."""
    assert contextvars.copy_context().run(asyncio.run, servers_of_twenty_hooks()) == 1
