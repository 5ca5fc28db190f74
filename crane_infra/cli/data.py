"""``crane data``: the rows of a stack's databases. Each command is in a module of its own."""

import typer

app = typer.Typer(no_args_is_help=True, help="The rows of a stack's databases. Only restore-production writes to production.")
