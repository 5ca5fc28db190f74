"""``crane rollback``: puts an earlier proven release of production back, in seconds."""

from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.confirm import confirmed
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.commands.rollback import Stack, Wish, roll_back
from crane_infra.commands.stack import outputs_of, settings_and_outputs

StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: production.")]
DigestArgument = Annotated[str | None, typer.Argument(help="The release: its digest, or how it begins. Default: the one before.")]
AcceptOption = Annotated[
    list[str] | None, typer.Option(help="What to accept: contract, secrets or databases; the refusal says which. Can be repeated.")
]
ReasonOption = Annotated[str, typer.Option(help="Why. It stands in the message of the deployments, for everybody to read.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def rollback(
    stack: StackOption,
    digest: DigestArgument = None,
    accept: AcceptOption = None,
    reason: ReasonOption = "",
    yes: YesOption = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Put the versions of an earlier proven release back, all workers together, and check them.

    Uploads nothing and applies nothing. First says what differs besides code, and asks. The next update with the same files does not undo it.
    """
    settings, outputs = settings_and_outputs(stack, root())
    here = Stack(settings, catalog.crane(), outputs, lambda: outputs_of("staging"))
    with sigterm_as_ctrl_c():
        roll_back(here, Wish(digest, accept or (), reason), typer.echo, lambda: confirmed("Put it back?", sure=yes))
