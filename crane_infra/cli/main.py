"""The ``crane`` command. Each command is its arguments and one call; only this module knows exit codes.

One rule keeps it fast: this module imports no command until it is asked for, and ``crane --help`` lists the summaries below, which import
nothing. A command's module imports what it needs at its top, as everywhere; what only one of several commands needs stands in a module of
its own (``proof`` beside ``release``).
"""

import sys
from dataclasses import dataclass
from importlib import import_module

import typer

from crane_infra.errors import CraneError
from local_cloud.errors import LocalCloudError


@dataclass(frozen=True)
class Command:
    """Where a command is, as ``module:member`` of this package, and its summary, which fits one line of ``crane --help``."""

    place: str
    summary: str


COMMANDS = {
    "local": Command("local:app", "Run Workers and D1 on this machine, without an account."),
    "migrations": Command("migrations:app", "Work with the migrations of a stack's databases."),
    "release": Command("release:app", "Identify a release, and carry it to production."),
    "github": Command("github:app", "Write comments and issues, and store releases on GitHub."),
    "rehearse": Command("rehearse:rehearse", "Rehearse releases and failures on a local account."),
    "verify": Command("verify:verify", "Compare what is live with what the stack deployed."),
    "proof": Command("proof:proof", "Print the release that a stack has proven."),
    "preview-report": Command("report:preview_report", "Write the comment on a pull request."),
}
"""In the order of ``crane --help``."""


def make_app(word: str = "") -> typer.Typer:
    """The command line: ready to run the one command that ``word`` names, and with the summaries of all others."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # importing rich takes longer than most commands
        context_settings={"max_content_width": 120},
        help="Ship Cloudflare Workers with D1 databases safely.",
    )
    app.callback()(lambda: None)  # else a single command would be the whole command line
    for name, command in COMMANDS.items():
        if name == word:
            _add(app, name, command)
        else:
            app.command(name, help=command.summary)(lambda: None)
    return app


def _add(app: typer.Typer, name: str, command: Command) -> None:
    module, _, member = command.place.partition(":")
    loaded = getattr(import_module(f"crane_infra.cli.{module}"), member)
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=name)
    else:
        app.command(name)(loaded)


def main() -> None:
    """Run the command line; an error that the user can fix ends with one line and exit code 1."""
    try:
        make_app(next(iter(sys.argv[1:]), ""))()
    except (CraneError, LocalCloudError) as error:
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        sys.exit(1)
