"""What the stand-in prints in the output of the engine that called it: warnings, and errors besides the one that ends a call.

An engine that attaches says where it takes messages. Its calls come over the same connection, so a message goes to the right engine
although all engines share one provider. A message that does not arrive is dropped: it must not fail the call.
"""

import contextlib
from contextvars import ContextVar
from typing import Literal

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

_SEVERITIES = {"warning": engine_pb2.WARNING, "error": engine_pb2.ERROR}
_SECONDS = 5.0
_MOST_ENGINES = 100

_address: ContextVar[str] = ContextVar("address", default="")
"""Where the engine of the present call takes messages; empty if it did not say."""


class Engines:
    """The addresses of the engines that have attached, by the connection that their calls come over."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}

    def attach(self, connection: str, address: str) -> None:
        """Remember an engine, and forget the first of too many."""
        self._addresses[connection] = address
        while len(self._addresses) > _MOST_ENGINES:
            del self._addresses[next(iter(self._addresses))]

    def begin_call(self, connection: str) -> None:
        """Send what the present call logs to the engine behind a connection."""
        _address.set(self._addresses.get(connection, ""))


async def log(severity: Literal["warning", "error"], urn: str, message: str) -> None:
    """Print a message about a resource in the output of the engine that made the present call."""
    if address := _address.get():
        with contextlib.suppress(grpc.RpcError):
            async with grpc.aio.insecure_channel(address) as channel:
                request = engine_pb2.LogRequest(severity=_SEVERITIES[severity], message=message, urn=urn)
                await engine_pb2_grpc.EngineStub(channel).Log(request, timeout=_SECONDS)
