"""``crane retire``: lets a stack go of a worker or a database that the catalog no longer has."""

from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.confirm import confirmed
from crane_infra.commands.retire import Retired
from crane_infra.commands.retire import retire as let_go
from crane_infra.commands.stack import outputs_of

StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
NameArgument = Annotated[str, typer.Argument(help="The name that it had in the catalog.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def retire(stack: StackOption, name: NameArgument, yes: YesOption = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Let a stack go of a worker or a database that the catalog no longer has.

    It stays at Cloudflare as it is, with its traffic and its rows. A preview then shows what the next update forgets.
    """

    def agreed(retired: Retired) -> bool:
        typer.echo(f"{retired.summary}.")
        return confirmed("Let go of it?", sure=yes)

    if let_go(stack, catalog.crane(), outputs_of(stack), name, agreed):
        typer.echo(f"To see what the next update forgets: pulumi preview -s {stack}")
