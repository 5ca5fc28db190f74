"""What a program does before it imports the rest."""

import pulumi
from pulumi.runtime.sync_await import _sync_await

from crane_infra.program.interrupted import end_quietly
from crane_infra.program.last_outputs import Asked, ask_for_outputs
from crane_infra.program.unread import leave_out_unread


def begin() -> Asked:
    """Settle how the program ends and what it sends, and ask for the outputs of both stacks, which ``environment.declare`` needs."""
    end_quietly()
    leave_out_unread()
    return ask_for_outputs()


def stack_is_shown() -> None:
    """Wait until the engine shows the stack: what is logged before that is shown apart from it, and once more afterwards."""
    if (stack := pulumi.runtime.get_root_resource()) is not None:
        _sync_await(stack.urn.future())
