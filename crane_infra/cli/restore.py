"""``crane restore``: takes a database back to an earlier state, and says what that takes back."""

from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.cli.confirm import confirmed
from crane_infra.cli.interrupts import sigterm_as_ctrl_c
from crane_infra.commands.restore import Talk, Wish
from crane_infra.commands.restore import restore as restore_database
from crane_infra.commands.stack import settings_and_outputs
from crane_infra.commands.tags import remove_tag, set_tag, somebody
from crane_infra.pulumi_cli import tags_of
from crane_infra.release.restored import TAG, Restored

StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
BookmarkOption = Annotated[
    str, typer.Option(help="The Time Travel bookmark, as the log of a run or wrangler d1 time-travel info shows it.")
]
LoseOption = Annotated[bool, typer.Option("--lose-writes", help="Every row that was written since may be lost.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def restore(
    stack: StackOption,
    database: DatabaseOption,
    bookmark: BookmarkOption,
    lose_writes: LoseOption = False,  # noqa: FBT002 - a flag of the command line
    yes: YesOption = False,  # noqa: FBT002
) -> None:
    """Restore a database to an earlier state, in place. Everything that was written since is lost.

    Says which rows and migrations that takes back, and how ledger, state and gate agree again.
    """
    settings, outputs = settings_and_outputs(stack, root())
    talk = Talk(typer.echo, lambda: confirmed("Restore it?", sure=yes), _Record(stack).keep)
    with sigterm_as_ctrl_c():
        restore_database(settings, catalog.crane(), outputs, Wish(database, bookmark, somebody(), lose_writes), talk)


class _Record:
    """The tag of a stack that tells of the last restore."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._before: str | None = None

    def keep(self, record: Restored | None) -> None:
        """Write a record; None takes back the one of a restore that was refused."""
        if record is not None:
            if not record.ended:
                self._before = tags_of(self._stack).get(TAG)
            set_tag(self._stack, TAG, record.tag)
        elif self._before is None:
            remove_tag(self._stack, TAG)
        else:
            set_tag(self._stack, TAG, self._before)
