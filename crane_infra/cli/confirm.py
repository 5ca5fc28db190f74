"""Asks before a command changes something that serves people."""

import sys

import typer

from crane_infra.errors import SettingsError


def confirmed(question: str, *, sure: bool) -> bool:
    """Whether to go on: ``--yes`` was given, or a person says yes. Raises SettingsError where nobody can be asked."""
    if sure:
        return True
    if not sys.stdin.isatty():
        raise SettingsError("--yes", "is missing, and there is no terminal to ask at", "Read what the command would do, then add --yes")
    if typer.confirm(question):
        return True
    typer.echo("Nothing was changed.")
    return False
