"""The result of a trial, as lines and as JSON. It shows names and numbers, and keys only where they were asked for. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from crane_infra.counted import counted
from crane_infra.data.differences import Key, TableChange
from crane_infra.data.trial import Trial
from crane_infra.data.violations import Violation
from crane_infra.data.witness import FileReport, StatementReport

KINDS = ("added", "changed", "overwritten", "deleted")
_LONG = 1.0
"""Seconds from which the time of a statement is shown."""


def trial_lines(trial: Trial) -> list[str]:
    """What the pending migrations of one database do."""
    if not trial.pending:
        nothing = "nothing was tried" if trial.refusal else "nothing is pending, so nothing was tried"
        return [f"{trial.database}: {nothing}", *_refused(trial)]
    lines = [f"{trial.database}: {_copied(trial)}"]
    if trial.despite:
        lines.append("  An update would refuse these files. They were tried all the same, as if the findings of lint were accepted.")
    for report in trial.files:
        lines += _file_lines(report)
    tried = {report.name for report in trial.files}
    lines += [f"  {name}: not tried" for name in trial.pending if name not in tried]
    lines += [f"  broken reference: {_violation(violation)}" for violation in trial.references]
    lines += [f"  damage: {line}" for line in trial.damage]
    if trial.passes:
        lines.append("  foreign keys and integrity: sound")
    return [*lines, *_refused(trial)]


def trial_as_json(trial: Trial) -> dict[str, Any]:
    """The same as ``trial_lines``."""
    copied = trial.copied
    return {
        "database": trial.database,
        "passes": trial.passes,
        "head": trial.head.name,
        "pending": list(trial.pending),
        "tried_although_refused": trial.despite,
        "copy": copied and {"rows": copied.rows, "bookmark": copied.bookmark, "unsettled": copied.unsettled, "left_out": copied.left_out},
        "files": [_file_as_json(report) for report in trial.files],
        "refusal": list(trial.refusal),
        "references": [_violation_as_json(violation) for violation in trial.references],
        "damage": list(trial.damage),
    }


def what_was_done(change: TableChange) -> str:
    """The numbers of one table."""
    if change.before is None:
        return f"is new, with {counted(change.added, 'row')}"
    if change.after is None:
        return f"is gone, with {counted(change.deleted, 'row')}"
    counts = [f"{count:,} {kind}" for kind in KINDS if (count := getattr(change, kind))]
    return f"{counted(change.before, 'row')} before, {change.after:,} after: {', '.join(counts)}"


def _copied(trial: Trial) -> str:
    copied = trial.copied
    if copied is None:
        return "nothing was copied"
    moment = "as of one moment" if copied.bookmark else "written to meanwhile"
    unsettled = f"; {', '.join(copied.unsettled)} kept changing" if copied.unsettled else ""
    left_out = f"; without the rows of {', '.join(copied.left_out)}" if copied.left_out else ""
    return f"{counted(copied.rows, 'row')} of {counted(len(copied.tables), 'table')} copied, {moment}{unsettled}{left_out}"


def _file_lines(report: FileReport) -> Iterator[str]:
    outcome = f"would fail: {report.failure}" if report.failure else "would be applied"
    failed = f" in statement {report.failed}" if report.failed else ""
    yield f"  {report.name}: {outcome}{failed} ({report.seconds:.1f} s here)"
    for change in report.tables:
        yield f"    {change.table}: {what_was_done(change)}"
        yield from (f"      {kind}: {_keys(keys)}" for kind, keys in change.keys.items())
    yield from (f"    gone: {name}" for name in report.gone)
    yield from (f"    in the way: {_violation(violation)}" for violation in report.violations)
    yield from (line for statement in report.statements for line in _statement_lines(statement))


def _statement_lines(statement: StatementReport) -> Iterator[str]:
    for step, rows in statement.scans:
        known = f" ({counted(rows, 'row')})" if rows is not None else ""
        yield f"    statement {statement.number}: {step}{known}"
    if statement.seconds >= _LONG:
        yield f"    statement {statement.number}: {statement.seconds:.1f} s here"


def _violation(violation: Violation) -> str:
    keys = f": {_keys(violation.keys)}" if violation.keys else ""
    return f"{counted(violation.rows, 'row')} of {violation.table} {violation.what}{keys}"


def _keys(keys: Sequence[Key]) -> str:
    return ", ".join("/".join(map(str, key)) for key in keys)


def _refused(trial: Trial) -> list[str]:
    return [f"  refused: {line}" for line in trial.refusal]


def _file_as_json(report: FileReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "seconds": round(report.seconds, 3),
        "failure": report.failure or None,
        "failed_statement": report.failed,
        "tables": [_change_as_json(change) for change in report.tables],
        "gone": list(report.gone),
        "violations": [_violation_as_json(violation) for violation in report.violations],
        "statements": [
            {
                "number": statement.number,
                "seconds": round(statement.seconds, 3),
                "changes": statement.changes,
                "scans": [{"step": step, "rows": rows} for step, rows in statement.scans],
            }
            for statement in report.statements
        ],
    }


def _change_as_json(change: TableChange) -> dict[str, Any]:
    counts = {kind: getattr(change, kind) for kind in ("before", "after", *KINDS)}
    keys = {kind: [list(map(str, key)) for key in keys] for kind, keys in change.keys.items()}
    return {"table": change.table, **counts, **({"keys": keys} if keys else {})}


def _violation_as_json(violation: Violation) -> dict[str, Any]:
    keys = {"keys": [list(map(str, key)) for key in violation.keys]} if violation.keys else {}
    return {"table": violation.table, "rows": violation.rows, "what": violation.what, **keys}
