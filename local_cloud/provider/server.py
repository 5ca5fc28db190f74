"""Serves the stand-in provider over gRPC on a loopback address, for an engine that attaches to it.

Answers the two calls that Pulumi's own servicer does not implement (Handshake, Attach), and turns every exception into one line: the
values in a traceback may be secret. It does not start an engine.
"""

import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, Protocol

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import connected, is_loopback, official_pauses
from local_cloud.provider.engine_log import Engines
from local_cloud.provider.standin import StandIn

VERSION = version("pulumi-cloudflare")
"""The stand-in stands in for the plugin that belongs to the installed SDK."""
_LARGEST_MESSAGE_BYTES = 256 * 1024 * 1024


class _Context(Protocol):
    """The part of gRPC's context that this module uses."""

    def peer(self) -> str:
        """Name the connection that the call came over."""

    async def abort(self, code: object, details: str) -> NoReturn:
        """End the call with an error."""


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
        stand_in = StandIn(base_url, token, await stack.enter_async_context(connected()), pause_factor, folder)
        options = [
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _LARGEST_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # else two of them can have one port, and an engine reaches either
        ]
        engines = Engines()
        server = grpc.aio.server(interceptors=(_Calls(engines),), options=options)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(stand_in, engines), server)
        try:
            bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:
            raise LocalCloudError("stand-in provider", f"port {port} is in use", "Use another port, or 0 for a free one") from None
        await server.start()
        stack.push_async_callback(server.stop, 5)
        return ProviderServer(bound, stack.pop_all())
    raise AssertionError  # the block returns or raises


class _Servicer(ProviderServicer):
    """Pulumi's servicer, with the two calls that an engine makes on a provider it did not start."""

    def __init__(self, stand_in: StandIn, engines: Engines) -> None:
        super().__init__([], VERSION, stand_in, "")
        self._engines = engines

    async def Handshake(self, request: object, context: _Context) -> provider_pb2.ProviderHandshakeResponse:  # noqa: ARG002, N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    async def Attach(self, request: plugin_pb2.PluginAttach, context: _Context) -> Any:  # noqa: ANN401, N802
        self._engines.attach(context.peer(), request.address)
        return empty_pb2.Empty()


class _Calls(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Knows each call's engine. Answers an exception with its text if it is a LocalCloudError, else only with its type and place."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:  # noqa: ANN401 (gRPC's handler)
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def answer(request: object, context: _Context) -> Any:  # noqa: ANN401 (a message)
            self._engines.begin_call(context.peer())
            try:
                return await handler.unary_unary(request, context)
            except Exception as error:  # noqa: BLE001 (every exception becomes one line)
                await _refuse(_first(error), context)

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


def _first(error: BaseException) -> BaseException:
    """The exception that the stand-in raised. Newer SDKs put a plain Exception in its place, whose text has a traceback."""
    while type(error) is Exception and error.__context__ is not None:
        error = error.__context__
    return error


async def _refuse(error: BaseException, context: _Context) -> NoReturn:
    if isinstance(error, LocalCloudError):
        await context.abort(grpc.StatusCode.UNKNOWN, str(error))
    if isinstance(error, NotImplementedError):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the stand-in provider does not answer this")
    last = traceback.extract_tb(error.__traceback__)[-1]
    await context.abort(grpc.StatusCode.INTERNAL, f"stand-in provider: {type(error).__name__} in {last.name}, line {last.lineno}")
