"""The history of a stack as text: one line for each event, and its details below it. Pure."""

from collections.abc import Iterator, Sequence

from crane_infra.status.events import Event
from crane_infra.status.inert import inert
from crane_infra.status.text import DIGEST, VERSION, commit_text, moment

_MOST_MIGRATIONS = 10
_MINUTE = 60


def history_text(stack: str, events: Sequence[Event], unseen: Sequence[str]) -> str:
    """The whole text, newest event first."""
    lines = [line for event in events for line in event_lines(event)] or [f"{stack}: nothing has happened yet"]
    if unseen:
        lines += ["", "not seen:", *(f"  {inert(line)}" for line in unseen)]
    return "\n".join(lines)


def event_lines(event: Event) -> Iterator[str]:
    """One event: when, what, its outcome, how long it took and who did it; then what it brought, a detail a line."""
    first = [moment(event.at), event.kind, *([event.outcome] if event.outcome != "seen" else []), duration(event.seconds)]
    yield "  ".join(filter(None, [*first, f"by {inert(event.who)}" if event.who else ""]))
    if event.is_run or event.digest:
        release = [f"release {inert(event.digest)[:DIGEST]}"] if event.digest else []
        commit = [f"commit {inert(commit_text(event.commit))}"] if event.commit else []
        yield f"    {', '.join([*release, *commit]) or 'release and commit unknown'}"
    if event.versions:
        yield f"    versions {', '.join(f'{inert(script)} {inert(version)[:VERSION]}' for script, version in event.versions.items())}"
    for name in event.migrations[:_MOST_MIGRATIONS]:
        yield f"    applied {inert(name)}"
    if more := len(event.migrations) - _MOST_MIGRATIONS:
        yield from [f"    applied {more} more migrations"] if more > 0 else []
    if event.summary and event.by_source != "message":
        yield f"    {inert(event.summary)}"
    if event.link:
        yield f"    {inert(event.link)}"


def duration(seconds: int | None) -> str:
    """How long a run took; empty where it has not ended, or was none."""
    if seconds is None:
        return ""
    return f"{seconds} s" if seconds < _MINUTE else f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
