"""The report as Markdown: one screen for a usual change, and never longer than GitHub takes. Pure.

What fails and what is lost stands first, then data, then code. Prevents a comment that is refused for its length, and a loss that stands
below the fold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from crane_infra.report import wording
from crane_infra.report.markdown import block, code, details, table
from crane_infra.report.model import Change, EnvironmentChanges, Pending, Report, WorkerChanges

MARKER = "<!-- crane preview-report -->"
"""By which the comment of a pull request is found again."""
LONGEST = 65_000  # bytes; GitHub takes 65,536 characters
_CUT = "*Cut here: GitHub takes no longer comment. The whole report is what `crane preview-report` prints for these files.*"


@dataclass(frozen=True)
class _Room:
    """How much may be shown: lines of a schema diff, rows of a table, characters of a text."""

    lines: int
    rows: int
    text: int


_ROOMS = (_Room(200, 60, 400), _Room(0, 60, 400), _Room(0, 12, 160))


def render(report: Report) -> str:
    """The comment; cut, with a note, where it would be too long."""
    for room in _ROOMS:
        text = _render(report, room)
        if len(text.encode()) <= LONGEST:
            return text
    return _cut(text)


def _cut(text: str) -> str:
    """Whole lines from the start. A block may be open there, so it is closed first."""
    kept, size = list[str](), len(_CUT.encode()) + 20
    for line in text.splitlines():
        size += len(line.encode()) + 1
        if size > LONGEST:
            break
        kept.append(line)
    return "\n".join((*kept, "", _CUT, ""))


def _render(report: Report, room: _Room) -> str:
    parts = [
        MARKER,
        f"## {wording.headline(report)}",
        _objections(report, room),
        "\n".join(wording.gate(report)),
        _adoptions(report, room),
        _data(report, room),
        _workers(report, room),
        _notes(report, room),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _objections(report: Report, room: _Room) -> str:
    """What fails, as an alert: single lines as a list, a text of several lines as a block."""
    if not report.objections:
        return ""
    losses = any(one.losses for one in report.environments)
    content = ["**This check fails.** " + ("**Something would be replaced or deleted.** " if losses else "") + "A run would stop at:", ""]
    content += _limited([f"- {code(text, max(room.text, 700))}" for text in report.objections if "\n" not in text], room)
    content += [line for text in report.objections if "\n" in text for line in block(text).splitlines()]
    return "\n".join(["> [!CAUTION]", *(f"> {line}".rstrip() for line in content)])


def _adoptions(report: Report, room: _Room) -> str:
    told = [f"- **{one.environment}** {code(text, room.text)}" for one in report.environments for text in one.adoptions]
    told += [f"- **{one.environment}** {text}" for one in report.environments if not one.adoptions for text in wording.adopted(one)]
    return "\n".join(["### Taken over", "", *_limited(told, room)]) if told else ""


def _data(report: Report, room: _Room) -> str:
    told = [line for one in report.environments if (line := wording.data(one, report))]
    parts = ["### Data", "\n".join(told)] if told else []
    rows = list(_migration_rows(report.environments))
    if rows:
        parts.append(_table(("database", "migration", "class", "statements", "tables", "rows", "pending in"), rows, room))
    findings = dict.fromkeys(
        f"- warning: {code(str(one), room.text)}" for each in report.environments for one in each.findings if one.level == "warning"
    )
    parts += ["\n".join(_limited(list(findings), room))] if findings else []
    parts += list(_schemas(report.environments, room))
    return "\n\n".join(parts)


def _migration_rows(environments: Sequence[EnvironmentChanges]) -> Iterable[Sequence[str]]:
    places: dict[tuple[str, Pending], list[str]] = {}
    for one in environments:
        for database in one.databases:
            for pending in database.pending:
                places.setdefault((database.name, pending), []).append(one.environment)
    for (name, pending), where in places.items():
        yield (
            code(name),
            code(pending.name, 120),
            wording.KINDS[pending.kind],
            wording.listed(pending.verbs) or "none",
            wording.listed(pending.tables) or "none",
            wording.rows(pending),
            ", ".join(where),
        )


def _schemas(environments: Sequence[EnvironmentChanges], room: _Room) -> Iterable[str]:
    places: dict[tuple[str, str], list[str]] = {}
    for one in environments:
        for database in one.databases:
            if database.schema:
                places.setdefault((database.name, database.schema), []).append(one.environment)
    for (name, schema), where in places.items():
        lines = schema.splitlines()
        added, gone = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        told = f"Schema of {name} in {' and '.join(where)}: {wording.counted(added, 'line')} added, {gone} taken away"
        if not room.lines:
            yield f"{told} (left out here: the comment would be too long)."
        else:
            more = [f"… and {len(lines) - room.lines} lines more"] if len(lines) > room.lines else []
            yield details(told, block("\n".join([*lines[: room.lines], *more]), "diff"))


def _workers(report: Report, room: _Room) -> str:
    known = [one for one in report.environments if one.workers]
    names = list(dict.fromkeys(worker.name for one in known for worker in one.workers))
    rows = [row for name in names for row in _worker_rows(name, known, room)]
    still = [name for name in names if not any(row[0] == code(name) for row in rows)]
    if not names:
        return ""
    parts = ["### Workers"]
    if rows:
        parts.append(_table(("worker", "what", *(one.environment for one in known)), rows, room))
    if still:
        parts.append(f"{', '.join(map(code, still))}: nothing changes.")
    return "\n\n".join(parts)


def _worker_rows(name: str, environments: Sequence[EnvironmentChanges], room: _Room) -> Iterable[Sequence[str]]:
    found = [next((worker for worker in one.workers if worker.name == name), None) for one in environments]
    unseen = [one.environment for one in environments if not one.previewed]
    if any(worker and worker.standing != "kept" for worker in found):
        yield code(name), "worker", *(wording.STANDINGS[worker.standing] if worker else "" for worker in found)
    for what, part in dict.fromkeys((change.what, change.name) for worker in found if worker for change in worker.changes):
        cells = [
            "not compared here" if what == "secret" and change is None and one.environment in unseen else _cell(change, room)
            for one, change in zip(environments, (_change(worker, what, part) for worker in found), strict=True)
        ]
        yield code(name), f"{what} {code(part, 80)}" if part else what, *cells


def _change(worker: WorkerChanges | None, what: str, name: str) -> Change | None:
    changes = worker.changes if worker else ()
    return next((change for change in changes if (change.what, change.name) == (what, name)), None)


def _cell(change: Change | None, room: _Room) -> str:
    if change is None:
        return "as it is"
    before, after = (None if one is None else code(one, room.text // 2) for one in (change.before, change.after))
    if before is None:
        return f"new: {after}"
    return f"**removed**, was {before}" if after is None else f"{before} → {after}"


def _notes(report: Report, room: _Room) -> str:
    told = [f"- {one.environment}: {code(text, room.text)}" for one in report.environments for text in one.notes]
    told += [f"- {text}" for text in wording.limits(report)]
    return "\n".join(("### Notes", "", *_limited(told, room))) if told else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], room: _Room) -> str:
    shown = table(heads, islice(rows, room.rows))
    return shown if len(rows) <= room.rows else f"{shown}\n\n… and {len(rows) - room.rows} rows more."


def _limited(lines: Sequence[str], room: _Room) -> list[str]:
    more = [f"- … and {len(lines) - room.rows} more"] if len(lines) > room.rows else []
    return [*lines[: room.rows], *more]
