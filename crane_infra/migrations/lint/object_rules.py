"""The rule about triggers and indexes that go with the old table of a rebuild (pure)."""

from collections.abc import Iterator
from itertools import groupby

from crane_infra.migrations.lint.finding import Finding, Level
from crane_infra.migrations.lint.naming import finding
from crane_infra.migrations.sqlite.effects import FileTrace, LeftBehind


def objects_lost_by_rebuilds(trace: FileTrace) -> Iterator[Finding]:
    """Triggers and indexes that a file drops with a table or view, and does not create again although the table is there at the end."""
    silent = [left for left in trace.left_behind if not left.is_named and left.host in trace.end]
    for number, group in groupby(silent, key=lambda left: left.statement.number):
        lost = list(group)
        shown = ", ".join(f"the {left.attached.kind} {left.attached.name}" for left in lost)
        what = f"dropping {trace.named(lost[0].host)} also drops {shown}, and the file does not create {_them(lost)} again"
        todo = f"Create {_them(lost)} again at the end of the file, or drop {_them(lost)} by name before the table, which says that you mean it"
        yield finding(trace, number, "rebuild-loses-objects", "error", what, todo)


def things_that_are_there_otherwise(trace: FileTrace) -> Iterator[Finding]:
    """CREATE … IF NOT EXISTS of something that is there with other columns or constraints; a warning in an empty database."""
    level: Level = "error" if trace.live else "warning"
    for statement in trace.statements:
        if difference := statement.effect.already_there:
            what = f"it creates nothing, because that name exists, and what exists is different: {difference}"
            todo = "Change what is there (ALTER TABLE, or drop it and create it again), or choose another name"
            yield finding(trace, statement.number, "exists-otherwise", level, what, todo)


def _them(lost: list[LeftBehind]) -> str:
    return "it" if len(lost) == 1 else "them"
