"""The same as the text, as one page that needs nothing else: no script, no font, no picture from anywhere. Pure but for reading its template.

Every text of others is made inert and escaped, and the page forbids the browser to run or fetch anything.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import jinja2

from crane_infra.status.events import Event
from crane_infra.status.history_text import duration
from crane_infra.status.inert import inert
from crane_infra.status.model import DatabaseStatus, EnvironmentStatus, Status
from crane_infra.status.text import DIGEST, NONE, UNSEEN, VERSION, commit_text, day_text, moment, pending_texts, traffic_text

MOST_EVENTS = 50
"""How many events of each environment the page shows."""
_WIDTH, _MARGIN = 360.0, 12.0
_SHAPES = {
    "rollback": "back",
    "manual deployment": "diamond",
    "restore": "diamond",
    "migrations": "bar",
    "refresh": "bar",
    "other run": "bar",
}
SHAPES = {
    "dot": "a release or a promotion",
    "back": "a rollback",
    "cross": "refused before anything changed",
    "burst": "failed",
    "diamond": "a manual deployment or a restore",
    "bar": "anything else",
}
"""The marks of the timeline and what they mean."""


@dataclass(frozen=True)
class Mark:
    """A mark on a timeline: where it stands, its shape, and what it says."""

    x: float
    shape: str
    text: str


@dataclass(frozen=True)
class Timeline:
    """The events of an environment that are shown, newest first, with their marks; how many older ones are not."""

    environment: str
    events: tuple[Event, ...]
    marks: tuple[Mark, ...]
    left_out: int


def status_page(status: Status) -> str:
    """The page as HTML."""
    return _template().render(
        status=status,
        timelines=timelines(status),
        shapes=SHAPES,
        headline=headline(status),
        first=_first(status),
        schema=schema_text,
        ledger=ledger_text,
        pending=pending_texts,
        any_pending=any(database.pending for environment in status.environments for database in environment.databases),
    )


def headline(status: Status) -> str:
    """The whole in one sentence."""
    count = sum(len(environment.problems) for environment in status.environments)
    if count:
        return "1 thing to look at." if count == 1 else f"{count} things to look at."
    return "Not everything could be seen." if status.is_partial else "All is as the stacks say."


def timelines(status: Status) -> list[Timeline]:
    """The timeline of each environment, all over the same span of time."""
    first = _first(status)
    return [_timeline(environment, first, status.at) for environment in status.environments]


def ledger_text(database: DatabaseStatus) -> str:
    """Where the ledger of a database stands."""
    if not database.id:
        return "not created"
    return UNSEEN if database.applied is None else f"{database.head or 'empty'}, {database.applied} applied"


def schema_text(database: DatabaseStatus) -> str:
    """Whether the schema of a database is as it should be."""
    if database.drift is None:
        return "not compared"
    return f"differs: {', '.join(database.drift)}" if database.drift else "as its migrations make it"


def _first(status: Status) -> datetime:
    shown = [event.at for environment in status.environments for event in environment.events[:MOST_EVENTS]]
    return min([*shown, status.at])


def _timeline(environment: EnvironmentStatus, first: datetime, last: datetime) -> Timeline:
    events = environment.events[:MOST_EVENTS]
    span = (last - first).total_seconds() or 1.0
    marks = (
        Mark(
            round(_MARGIN + (_WIDTH - 2 * _MARGIN) * min((event.at - first).total_seconds() / span, 1.0), 1),
            _shape(event),
            f"{moment(event.at)}: {event.kind}, {event.outcome}",
        )
        for event in reversed(events)
    )
    return Timeline(environment.name, events, tuple(marks), len(environment.events) - len(events))


def _shape(event: Event) -> str:
    if event.went_wrong:
        return "cross" if event.outcome == "refused" else "burst"
    return _SHAPES.get(event.kind, "dot")


def _shown(value: object) -> object:
    """What the template prints: texts are made inert; ``escape`` follows."""
    return inert(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(
        moment=moment,
        commit=commit_text,
        traffic=traffic_text,
        duration=duration,
        day=day_text,
        digest=lambda text: text[:DIGEST] or NONE,
        version=lambda text: text[:VERSION] or NONE,
        or_none=lambda text: text or NONE,
    )
    return environment.from_string(Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8"))
