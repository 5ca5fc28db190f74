"""``crane history``: what happened to a stack, newest first, as text or as JSON. Changes nothing."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from crane_infra.cli.clone import root
from crane_infra.commands.history import History, history_of
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.errors import SettingsError
from crane_infra.status.history_text import history_text
from crane_infra.status.since import since_of

IS_PARTIAL = 1
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The environment: staging or production.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SinceOption = Annotated[str, typer.Option("--since", help="Only what happened since: a date, a time in UTC, or an age such as 12h or 7d.")]


def history(stack: StackOption, as_json: JsonOption = False, since: SinceOption = "") -> None:  # noqa: FBT002 - a flag of the command line
    """Show every release, promotion, rollback, refusal and restore of a stack, newest first.

    Exit code 0: all of it was read. 1: Pulumi's history was not, or another part of it; the output names that part.
    """
    now = datetime.now(UTC)
    if stack not in ENVIRONMENTS:
        raise SettingsError(f"stack {stack}", "is not an environment", "Use one of " + ", ".join(ENVIRONMENTS))
    first = since_of(since, now) if since else None
    known = history_of(stack, root(), now)
    events = [event for event in known.events if first is None or event.at + timedelta(seconds=event.seconds or 0) >= first]
    shown = History(stack, tuple(events), known.unseen)
    typer.echo(_as_json(shown) if as_json else history_text(shown.stack, shown.events, shown.unseen))
    if shown.unseen:
        raise typer.Exit(IS_PARTIAL)


def _as_json(shown: History) -> str:
    return json.dumps(asdict(shown), indent=2, default=lambda value: value.isoformat() if isinstance(value, datetime) else str(value))
