"""Serves the stand-in provider over gRPC on a loopback address, for an engine that attaches to it.

It listens at once, and imports Pulumi's SDK with the first call (servicer.py): most clouds are never asked by an engine. It does not start one.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import connected, is_loopback, local_base_url, official_pauses

VERSION = version("pulumi-cloudflare")
"""The stand-in stands in for the plugin that belongs to the installed SDK."""
_LARGEST_MESSAGE_BYTES = 256 * 1024 * 1024


class ProviderServer:
    """A stand-in provider that is being served. ``port`` goes into ``PULUMI_DEBUG_PROVIDERS=cloudflare:PORT``."""

    def __init__(self, port: int, running: AsyncExitStack) -> None:
        self.port = port
        self._running = running

    async def stop(self) -> None:
        """Stop it; calls under way get five seconds."""
        await self._running.aclose()


async def start_provider(
    base_url: str,
    token: str,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    pause_factor: Callable[[], float] = official_pauses,
    folder: Path | None = None,
) -> ProviderServer:
    """Serve the stand-in for the API at ``base_url``; port 0 picks a free one. ``pause_factor`` is asked before each pause between attempts.

    ``folder`` is that of the programs, where their relative folders of assets begin; by default this process's.

    Raises LocalCloudError if the base URL or the host is not on this machine, or the port is in use.
    """
    if not is_loopback(host):
        raise LocalCloudError("stand-in provider", f"it does not listen on '{host}'", "Use a loopback address")
    async with AsyncExitStack() as stack:
        handlers = _FirstCall(local_base_url(base_url), token, await stack.enter_async_context(connected()), pause_factor, folder)
        options = [
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _LARGEST_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # else two of them can have one port, and an engine reaches either
        ]
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((handlers,))
        try:
            bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:
            raise LocalCloudError("stand-in provider", f"port {port} is in use", "Use another port, or 0 for a free one") from None
        await server.start()
        stack.push_async_callback(server.stop, 5)
        return ProviderServer(bound, stack.pop_all())
    raise AssertionError  # the block returns or raises


class _FirstCall(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The handlers of all calls, which the first one imports; made from what a ``StandIn`` is made from."""

    def __init__(self, *stand_in: Any) -> None:  # noqa: ANN401 (StandIn's)
        self._stand_in = stand_in
        self._handlers: grpc.GenericRpcHandler | None = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 (gRPC's handler)
        if self._handlers is None:
            from local_cloud.provider.servicer import Handlers  # noqa: PLC0415
            from local_cloud.provider.standin import StandIn  # noqa: PLC0415

            self._handlers = Handlers(StandIn(*self._stand_in), VERSION)
        return self._handlers.service(handler_call_details)
