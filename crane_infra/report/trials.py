"""What the pending migrations do to the rows of a stack, as Markdown for the summary of a run. Names and numbers, no values. Pure."""

from collections.abc import Iterator, Sequence

from crane_infra.checks.results import Checked
from crane_infra.counted import counted
from crane_infra.data.differences import TableChange
from crane_infra.data.trial import Trial
from crane_infra.data.trial_text import KINDS
from crane_infra.data.witness import FileReport
from crane_infra.report.markdown import code, table

_HEADS = ("database", "file", "table", "before", "after", *KINDS)


def trials_markdown(stack: str, trials: Sequence[Trial], checked: Checked) -> str:
    """A heading, a table of all rows that change, what stands in the way, what took how long and reads whole tables, and the checks."""
    tried = [trial for trial in trials if trial.pending]
    lines = [f"### Rehearsal on the rows of {code(stack)}", ""]
    if not tried and all(trial.passes for trial in trials):
        return "\n".join([*lines, "No migration is pending."])
    rows = [row for trial in tried for row in _rows(trial)]
    lines.append(table(_HEADS, rows) if rows else "No row changes.")
    notes = [note for trial in trials for note in _notes(trial)] + _checks(checked)
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _rows(trial: Trial) -> Iterator[tuple[str, ...]]:
    for report in trial.files:
        for change in report.tables:
            yield (code(trial.database), code(report.name), code(change.table), *_numbers(change))


def _numbers(change: TableChange) -> Iterator[str]:
    for kind in ("before", "after", *KINDS):
        count = getattr(change, kind)
        yield "none" if count is None else f"{count:,}"


def _notes(trial: Trial) -> Iterator[str]:
    where = code(trial.database)
    if trial.copied and not trial.copied.bookmark:
        yield f"- {where}: it was written to while it was copied, so the rows are not of one moment"
    for report in trial.files:
        if report.failure:
            yield f"- {where}: {code(report.name)} would fail: {code(report.failure)}"
        for violation in report.violations:
            yield f"- {where}: {counted(violation.rows, 'row')} of {code(violation.table)} {code(violation.what)}"
        for name in report.gone:
            yield f"- {where}: {code(report.name)} leaves {code(name)} out"
        yield f"- {where}: {code(report.name)} took {report.seconds:.1f} s here{_scans(report)}"
    for violation in trial.references:
        yield f"- {where}: at the end {counted(violation.rows, 'row')} of {code(violation.table)} {code(violation.what)}"
    yield from (f"- {where}: {code(line)}" for line in (*trial.damage, *trial.refusal))
    if trial.pending and trial.passes:
        yield f"- {where}: foreign keys and integrity are sound at the end"


def _scans(report: FileReport) -> str:
    """The statements that read whole tables."""
    scans = [
        f"statement {statement.number}: {code(step)}" + ("" if rows is None else f" ({counted(rows, 'row')})")
        for statement in report.statements
        for step, rows in statement.scans
    ]
    return f"; {'; '.join(scans)}" if scans else ""


def _checks(checked: Checked) -> list[str]:
    return [f"- {code(line)}" for line in (checked.summary, *(result.line for result in checked.failed), *checked.notes)]
