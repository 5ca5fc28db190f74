"""``crane status``: where both environments stand, as text, as JSON, or as a page. Changes nothing."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from crane_infra import catalog
from crane_infra.cli.clone import root
from crane_infra.commands.sources import read_sources
from crane_infra.commands.status import status_of_both
from crane_infra.config.stackfile import project_name
from crane_infra.errors import ReportError
from crane_infra.status.model import Status
from crane_infra.status.text import status_text

HAS_PROBLEMS, IS_PARTIAL = 3, 1
RECENT, OF_A_PAGE = 20, 200
"""How many runs of each stack are read where only the last one is shown, and for the timeline of a page."""
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write the same as one page that needs nothing else to this file.")]


def status(as_json: JsonOption = False, html: HtmlOption = None) -> None:  # noqa: FBT002 - a flag of the command line
    """Show where both environments stand, and what a promotion would change.

    Exit code 0: all is as the stacks say. 3: something differs, is refused, or failed. 1: nothing does, but a part could not be seen.
    """
    seen = _look(RECENT if html is None else OF_A_PAGE)
    typer.echo(as_json_text(seen) if as_json else status_text(seen))
    if html is not None:
        write_page(seen, html)
    if code := exit_code(seen):
        raise typer.Exit(code)


def _look(newest: int) -> Status:
    here = root()
    project = project_name(here)
    return status_of_both(catalog.crane(), project, read_sources(here, newest), datetime.now(UTC))


def exit_code(seen: Status) -> int:
    """How the command ends."""
    return HAS_PROBLEMS if seen.has_problems else IS_PARTIAL if seen.is_partial else 0


def write_page(seen: Status, path: Path) -> None:
    """Write the page. Raises ReportError where the file cannot be written."""
    from crane_infra.status.page import status_page  # noqa: PLC0415 - the template engine is for the page alone

    page = status_page(seen)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"--html {path}", f"cannot be written ({error.strerror})", "Name a file in a folder that exists") from None


def as_json_text(seen: Status) -> str:
    """The status as one JSON object. Control characters in it are escaped."""
    return json.dumps({**asdict(seen), "has_problems": seen.has_problems, "is_partial": seen.is_partial}, indent=2, default=_as_text)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
