"""``crane data rules``: proposes and checks the rules for production's rows in staging, from migration files alone."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.commands.data_rules import check_rules, propose_rules


class Action(StrEnum):
    """What is to be done with the rules."""

    INIT = "init"
    CHECK = "check"


def rules(
    action: Annotated[
        Action, typer.Argument(help="init prints proposed rules for the catalog; check compares the catalog with the files.")
    ],
    folder: Annotated[
        Path | None, typer.Option("--workers-dir", help="The folder of the workers. Default: the setting of the stack.")
    ] = None,
    database: Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog. Default: all databases.")] = None,
) -> None:
    """Propose or check the rules for staging's rows. Exits 0, or 1 where a table or a column has no rule that fits."""
    workers_dir = folder or _workers_dir()
    work = propose_rules if action is Action.INIT else check_rules
    for line in work(catalog.crane(), workers_dir, database):
        typer.echo(line)


def _workers_dir() -> Path:
    from crane_infra.commands.stack import settings_of  # noqa: PLC0415 - only where the folder is not named

    return settings_of("staging", root()).workers_dir
