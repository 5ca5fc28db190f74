"""Pulumi's calls to the stand-in provider, and what it answers them.

Answers the two calls that Pulumi's own servicer does not implement (Handshake, Attach), and turns every exception into one line: the
values in a traceback may be secret. server.py imports it with the first call, because Pulumi's SDK takes 70 ms.
"""

import traceback
from typing import Any, NoReturn, Protocol

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local_cloud.errors import LocalCloudError
from local_cloud.provider.engine_log import Engines
from local_cloud.provider.standin import StandIn


class _Context(Protocol):
    """The part of gRPC's context that this module uses."""

    def peer(self) -> str:
        """Name the connection that the call came over."""

    async def abort(self, code: object, details: str) -> NoReturn:
        """End the call with an error."""


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The handlers of all calls.

    Each knows its call's engine, and answers an exception with its text if it is a LocalCloudError, else only with its type and place.
    """

    def __init__(self, stand_in: StandIn, version: str) -> None:
        """Answer with this stand-in, whose version is that of the plugin that it stands in for."""
        self._engines = Engines()
        self._generic: list[grpc.GenericRpcHandler] = []
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(stand_in, self._engines, version), self)

    def add_generic_rpc_handlers(self, handlers: tuple[grpc.GenericRpcHandler, ...]) -> None:
        """Take the handlers of a servicer, as a server does (gRPC)."""
        self._generic.extend(handlers)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 (gRPC's handler)
        """Give the handler of a call, None where there is none (gRPC)."""
        handler = next(filter(None, (generic.service(handler_call_details) for generic in self._generic)), None)
        if handler is None or handler.unary_unary is None:
            return handler

        async def answer(request: object, context: _Context) -> Any:  # noqa: ANN401 (a message)
            self._engines.begin_call(context.peer())
            try:
                return await handler.unary_unary(request, context)
            except Exception as error:  # noqa: BLE001 (every exception becomes one line)
                await _refuse(_first(error), context)

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


class _Servicer(ProviderServicer):
    """Pulumi's servicer, with the two calls that an engine makes on a provider it did not start."""

    def __init__(self, stand_in: StandIn, engines: Engines, version: str) -> None:
        super().__init__([], version, stand_in, "")
        self._engines = engines

    async def Handshake(self, request: object, context: _Context) -> provider_pb2.ProviderHandshakeResponse:  # noqa: ARG002, N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    async def Attach(self, request: plugin_pb2.PluginAttach, context: _Context) -> Any:  # noqa: ANN401, N802
        self._engines.attach(context.peer(), request.address)
        return empty_pb2.Empty()


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
