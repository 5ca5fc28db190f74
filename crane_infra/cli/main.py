"""The ``crane`` command. Each command is its arguments and one call; only this module knows exit codes."""

import sys
from importlib import import_module

import typer

from crane_infra.errors import CraneError
from local_cloud.errors import LocalCloudError

# Where each command is: imported only if it is the one that was asked for, since all of them together take seconds.
_COMMANDS = {
    "local": "local:app",
    "migrations": "migrations:app",
    "release": "release:app",
    "github": "github:app",
    "rehearse": "rehearse:rehearse",
    "verify": "verify:verify",
    "proof": "release:proof",
    "preview-report": "report:preview_report",
}


def make_app(word: str = "") -> typer.Typer:
    """The command line: with the one command that ``word`` names, or with all of them."""
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Ship Cloudflare Workers with D1 databases safely."
    )
    app.callback()(lambda: None)  # else a single command would be the whole command line
    for name in (word,) if word in _COMMANDS else _COMMANDS:
        module, _, member = _COMMANDS[name].partition(":")
        command = getattr(import_module(f"crane_infra.cli.{module}"), member)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run the command line; what a user can mend ends with one line and exit code 1."""
    try:
        make_app(next(iter(sys.argv[1:]), ""))()
    except (CraneError, LocalCloudError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
