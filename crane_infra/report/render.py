"""The report as Markdown: one screen for a usual change, and never longer than GitHub accepts. Pure.

What fails and what is lost comes first, then data, then code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from crane_infra.counted import counted
from crane_infra.report import wording
from crane_infra.report.markdown import block, code, details, table
from crane_infra.report.model import Change, EnvironmentChanges, Pending, Report, WorkerChanges

MARKER = "<!-- crane preview-report -->"
"""The first line of the comment, by which it is found again."""
LONGEST = 65_000  # bytes; GitHub accepts 65,536 characters
_CUT = "*Cut here: GitHub accepts no longer comment. For the whole report, run `crane preview-report` on these files.*"


@dataclass(frozen=True)
class _Room:
    """How much may be shown: lines of a schema diff, rows of a table or list, characters of a text."""

    lines: int
    rows: int
    text: int


_ROOMS = (_Room(200, 60, 400), _Room(0, 60, 400), _Room(0, 12, 160))


def render(report: Report) -> str:
    """The comment; with less detail, and at last cut with a note, where it would be too long."""
    for room in _ROOMS:
        text = _render(report, room)
        if len(text.encode()) <= LONGEST:
            return text
    return _cut(text)


def _cut(text: str) -> str:
    """Keep whole lines from the start, and say that the rest is cut."""
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
        wording.gate_note(report),
        _adoptions(report, room),
        _data(report, room),
        _workers(report, room),
        _notes(report, room),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _objections(report: Report, room: _Room) -> str:
    """What fails the check, as an alert: single lines as a list, a text of several lines as a block."""
    if not report.objections:
        return ""
    losses = any(environment.losses for environment in report.environments)
    content = ["**This check fails.** " + ("**Something would be replaced or deleted.** " if losses else "") + "A run would stop at:", ""]
    content += _limited([f"- {code(text, max(room.text, 700))}" for text in report.objections if "\n" not in text], room)
    content += [line for text in report.objections if "\n" in text for line in block(text).splitlines()]
    return "\n".join(["> [!CAUTION]", *(f"> {line}".rstrip() for line in content)])


def _adoptions(report: Report, room: _Room) -> str:
    lines = [f"- **{side.environment}** {code(text, room.text)}" for side in report.environments for text in side.adoptions]
    lines += [f"- **{side.environment}** {text}" for side in report.environments if not side.adoptions for text in wording.adopted(side)]
    return "\n".join(["### Adopted", "", *_limited(lines, room)]) if lines else ""


def _data(report: Report, room: _Room) -> str:
    lines = [line for environment in report.environments if (line := wording.data(environment, report))]
    parts = ["### Data", "\n".join(lines)] if lines else []
    if counted := [line for environment in report.environments for line in wording.counted_rows(environment)]:
        parts.append("\n".join(_limited(counted, room)))
    rows = list(_migration_rows(report.environments))
    if rows:
        parts.append(_table(("database", "migration", "class", "statements", "tables", "rows", "pending in"), rows, room))
    findings = dict.fromkeys(
        f"- warning: {code(str(finding), room.text)}"
        for environment in report.environments
        for finding in environment.findings
        if finding.level == "warning"
    )
    parts += ["\n".join(_limited(list(findings), room))] if findings else []
    parts += list(_schemas(report.environments, room))
    return "\n\n".join(parts)


def _migration_rows(environments: Sequence[EnvironmentChanges]) -> Iterable[Sequence[str]]:
    places: dict[tuple[str, Pending], list[str]] = {}
    for side in environments:
        for database in side.databases:
            for pending in database.pending:
                places.setdefault((database.name, pending), []).append(side.environment)
    for (name, pending), where in places.items():
        yield (
            code(name),
            code(pending.name, 120),
            wording.KINDS[pending.kind],
            wording.listed(pending.verbs) or "none",
            wording.tables(pending) or "none",
            wording.rows(pending),
            ", ".join(where),
        )


def _schemas(environments: Sequence[EnvironmentChanges], room: _Room) -> Iterable[str]:
    places: dict[tuple[str, str], list[str]] = {}
    for side in environments:
        for database in side.databases:
            if database.schema:
                places.setdefault((database.name, database.schema), []).append(side.environment)
    for (name, schema), where in places.items():
        lines = schema.splitlines()
        added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        summary = f"Schema of {name} in {' and '.join(where)}: {counted(added, 'line')} added, {removed} removed"
        if not room.lines:
            yield f"{summary} (left out here: the comment would be too long)."
        else:
            more = [f"… and {len(lines) - room.lines} more lines"] if len(lines) > room.lines else []
            yield details(summary, block("\n".join([*lines[: room.lines], *more]), "diff"))


def _workers(report: Report, room: _Room) -> str:
    known = [environment for environment in report.environments if environment.workers]
    names = list(dict.fromkeys(worker.name for environment in known for worker in environment.workers))
    rows = [row for name in names for row in _worker_rows(name, known, room)]
    unchanged = [name for name in names if not any(row.cells[0] == code(name) for row in rows)]
    if not names:
        return ""
    parts, heads = ["### Workers"], ("worker", "what", *(environment.environment for environment in known))
    if shown := [row.cells for row in rows if not row.of_new_worker]:
        parts.append(_table(heads, shown, room))
    if folded := [row.cells for row in rows if row.of_new_worker]:
        summary = f"What the new workers begin with: {counted(len(folded), 'setting')}"
        parts.append(details(summary, _table(heads, folded, room)))
    if unchanged:
        parts.append(f"{', '.join(map(code, unchanged))}: unchanged.")
    return "\n\n".join(parts)


@dataclass(frozen=True)
class _WorkerRow:
    """A row of the table of workers. ``of_new_worker``: it is about what a worker begins with, and no running one changes."""

    cells: Sequence[str]
    of_new_worker: bool = False


def _worker_rows(name: str, environments: Sequence[EnvironmentChanges], room: _Room) -> Iterable[_WorkerRow]:
    workers = [next((worker for worker in side.workers if worker.name == name), None) for side in environments]
    if any(worker and worker.standing != "kept" for worker in workers):
        yield _WorkerRow((code(name), "worker", *(wording.STANDINGS[worker.standing] if worker else "" for worker in workers)))
    for what, part in dict.fromkeys((change.what, change.name) for worker in workers if worker for change in worker.changes):
        cells = [
            "not compared here" if what == "secret" and change is None and not side.previewed else _cell(change, room)
            for side, change in zip(environments, (_change(worker, what, part) for worker in workers), strict=True)
        ]
        changing = [worker for worker in workers if _change(worker, what, part)]
        is_new = all(worker is not None and worker.standing == "new" for worker in changing)
        yield _WorkerRow((code(name), f"{what} {code(part, 80)}" if part else what, *cells), of_new_worker=is_new)


def _change(worker: WorkerChanges | None, what: str, name: str) -> Change | None:
    changes = worker.changes if worker else ()
    return next((change for change in changes if (change.what, change.name) == (what, name)), None)


def _cell(change: Change | None, room: _Room) -> str:
    if change is None:
        return "unchanged"
    before, after = (None if value is None else code(value, room.text // 2) for value in (change.before, change.after))
    if before is None:
        return f"new: {after}"
    return f"**removed**, was {before}" if after is None else f"{before} → {after}"


def _notes(report: Report, room: _Room) -> str:
    lines = [f"- {side.environment}: {code(text, room.text)}" for side in report.environments for text in side.notes]
    lines += [f"- {text}" for text in wording.limits(report)]
    return "\n".join(("### Notes", "", *_limited(lines, room))) if lines else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], room: _Room) -> str:
    shown = table(heads, islice(rows, room.rows))
    return shown if len(rows) <= room.rows else f"{shown}\n\n… and {len(rows) - room.rows} more rows."


def _limited(lines: Sequence[str], room: _Room) -> list[str]:
    more = [f"- … and {len(lines) - room.rows} more"] if len(lines) > room.rows else []
    return [*lines[: room.rows], *more]
