"""What a program does before it imports the rest."""

from crane_infra.program.interrupted import end_quietly
from crane_infra.program.last_outputs import Asked, ask_for_outputs
from crane_infra.program.unread import leave_out_unread


def begin() -> Asked:
    """Settle how the program ends and what it sends, and ask for the outputs of both stacks, which ``environment.declare`` needs."""
    end_quietly()
    leave_out_unread()
    return ask_for_outputs()
