"""``crane adopt``: says what a stack would adopt of the account, and writes the stack file when told to."""

import os
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.commands.adopt import Adoption, change_of, plan_adoption
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.config.file_change import FileChange
from crane_infra.pulumi_cli import project_folder

STOPS = 3
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
GiveUpOption = Annotated[
    list[str] | None, typer.Option("--give-up", help="A binding or setting that the adoption may drop. May be repeated.")
]
WriteOption = Annotated[bool, typer.Option("--write", help="Write ids and settings into the stack file.")]


def adopt(stack: StackOption, give_up: GiveUpOption = None, write: WriteOption = False) -> None:  # noqa: FBT002
    """Find the declared workers and databases in the account, and say what adopting them changes.

    Reads only, so a read token is enough. Writes nothing without --write. Exit code 0: an update can adopt them. 3: something stops it,
    such as a binding that is live and that no file declares. 1: it could not look.
    """
    settings, outputs = settings_and_outputs(stack, project_folder(os.environ, root()))
    adoption = plan_adoption(settings, catalog.crane(), outputs, give_up or ())
    change = change_of(adoption, settings)
    if write and change.diff:
        change.write()
    for line in _shown(adoption, change, stack, is_written=write):
        typer.echo(line)
    if adoption.stops:
        raise typer.Exit(STOPS)


def _shown(adoption: Adoption, change: FileChange, stack: str, *, is_written: bool) -> list[str]:
    lines = list(adoption.lines)
    if not change.diff:
        lines += ["", f"{change.name} says all of this already."]
    else:
        lines += ["", *([f"wrote {change.name}"] if is_written else [change.diff, "Nothing is written. Run it again with --write."])]
    if adoption.stops:
        return [*lines, "", "This stops an update:", *(f"  {stop}" for stop in adoption.stops)]
    return [*lines, f"To see the whole update: pulumi preview -s {stack}"]
