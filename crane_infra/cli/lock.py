"""``crane lock``: says whether a stack is locked, and how to free it. Never frees it."""

from typing import Annotated

import typer

from crane_infra.commands.lock import locks_of

IS_LOCKED = 3
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]


def lock(stack: StackOption) -> None:
    """Say whether a stack is locked, since when and by whom.

    Frees nothing. Exit code 0: it is not locked. 3: it is locked. 1: Pulumi did not say.
    """
    locks = locks_of(stack)
    if not locks:
        typer.echo(f"stack {stack} is not locked. To continue where the run stopped, start it again.")
        return
    typer.echo(f"stack {stack} is locked:\n")
    typer.echo("\n".join(f"- {holder}" for holder in locks))
    typer.echo(
        f"\nNothing frees it by itself. Make sure that no run of {stack} is active, free it with `pulumi cancel -s {stack}`, then start the "
        "run again: it continues where this one stopped. The runbook has more: *A run was killed*."
    )
    raise typer.Exit(IS_LOCKED)
