"""The ``crane`` command. Each command is its arguments and one call; only this module knows exit codes."""

import sys

import typer

from crane_infra.cli import github, local, migrations, release
from crane_infra.cli.rehearse import rehearse
from crane_infra.cli.report import preview_report
from crane_infra.cli.verify import verify
from crane_infra.errors import CraneError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Ship Cloudflare Workers with D1 databases safely."
)
app.add_typer(local.app, name="local")
app.add_typer(migrations.app, name="migrations")
app.add_typer(release.app, name="release")
app.add_typer(github.app, name="github")
app.command()(rehearse)
app.command()(verify)
app.command()(release.proof)
app.command("preview-report")(preview_report)


def main() -> None:
    """Run the command line; what a user can mend ends with one line and exit code 1."""
    try:
        app()
    except CraneError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
