"""``crane migrations``: the migrations of a stack's databases, without Pulumi. Each command is in a module of its own."""

from typing import Annotated

import typer

NOT_SETTLED = 3
app = typer.Typer(
    no_args_is_help=True,
    help="The migrations of a stack's databases. Only apply, baseline and accept-edit write to a database; new writes a file.",
)
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
DatabaseOption = Annotated[str | None, typer.Option("--database", "-d", help="Its name in the catalog. Default: all databases.")]
DatabaseArgument = Annotated[str, typer.Option("--database", "-d", help="Its name in the catalog.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
