"""What stacks exported last, asked of the engine before anything is declared.

A file backend replaces a stack's file by moving it away first, and the engine may save ours while we read it. So the answers "unknown" and
"cannot be read" count only if they last.

This is not a StackReference: an exception in its ``apply`` stops only what depends on it, and an unknown stack aborts the engine (both
measured). This call answers at once, takes no lock and works on every backend. It goes to the engine directly, from a thread of
its own: the SDK would send and await it on the event loop of the program, which stands still while the program imports.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

import grpc  # type: ignore[import-untyped]
import pulumi
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]
from pulumi.runtime import rpc
from pulumi.runtime.proto import resource_pb2

from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.errors import SettingsError
from crane_infra.program.background import begin_call

UNKNOWN = "unknown stack"
_READ = "pulumi:pulumi:readStackOutputs"
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, None)  # seconds
_UNKNOWN_PAUSES = 2
Outputs = dict[str, Any] | None
Asked = Mapping[Environment, Future[Outputs]]


def ask_for_outputs() -> Asked:
    """Ask for the outputs of the stack of each environment: None if there is no such stack, {} if it never had an update.

    The engine answers while the program imports the rest: it derives a key from the passphrase of each stack, and that there is no such
    stack is asked more than once. A result raises SettingsError if it cannot be read.
    """
    project, own = f"{pulumi.get_organization()}/{pulumi.get_project()}", pulumi.get_stack()
    monitor = pulumi.runtime.settings.get_monitor()
    return {
        environment: begin_call(partial(_outputs_of, monitor, f"{project}/{environment}", is_ours=environment == own))
        for environment in ENVIRONMENTS
    }


def _outputs_of(monitor: Any, stack: str, *, is_ours: bool) -> Outputs:  # noqa: ANN401 (gRPC)
    """``is_ours``: it exists, since it runs."""
    for number, pause in enumerate(_PAUSES):
        outputs, reason = _read(monitor, stack)
        if not reason:
            return outputs
        if UNKNOWN in reason and not is_ours and number == _UNKNOWN_PAUSES:
            return None
        if pause is None:
            raise _unreadable(stack, reason)
        time.sleep(pause)
    raise _unreadable(stack, "no answer")


def _read(monitor: Any, stack: str) -> tuple[dict[str, Any], str]:  # noqa: ANN401 (gRPC)
    """The outputs, and why they are none; "" where they are what the stack exported."""
    name = Struct()
    name.update({"name": stack})
    try:
        reply = monitor.Invoke(resource_pb2.ResourceInvokeRequest(tok=_READ, args=name))
    except grpc.RpcError as error:
        return {}, (str(error.details()).splitlines() or [type(error).__name__])[0]
    if reply.failures:
        return {}, str(reply.failures[0].reason)
    outputs, _ = rpc.deserialize_properties_unwrap_secrets(getattr(reply, "return"))
    return dict((outputs or {}).get("outputs") or {}), ""


def _unreadable(stack: str, reason: str) -> SettingsError:
    return SettingsError(f"stack {stack}", f"its outputs cannot be read ({reason})", f"Try pulumi stack output --stack {stack}")
