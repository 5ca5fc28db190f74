"""Leaves out what Pulumi's SDK sends to the engine and nobody reads.

The SDK sends each of its debug lines to the engine in a call of its own and waits for the answer: thousands in a release of twenty workers, of
which the engine shows none unless it is asked to. With each resource it sends the stack of calls that declared it. The engine writes that into
the stack's state, of which it was a third, and writes the whole state again with every step. It also names the folders of the machine.
"""

from typing import Any

import pulumi
from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2


def leave_out_unread() -> None:
    """Send neither debug lines nor stacks of calls from now on. The SDK has no setting for either."""
    pulumi.log.debug = _say_nothing
    resource._get_stack_trace = source_pb2.StackTrace  # noqa: SLF001


def _say_nothing(*_: Any, **__: Any) -> None:  # noqa: ANN401 - whatever the SDK gives
    """Take a debug line."""
