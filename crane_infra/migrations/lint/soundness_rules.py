"""The rule about views, triggers and foreign keys that a file leaves pointing at nothing (pure)."""

from collections.abc import Collection, Iterator, Sequence

from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.naming import DOCUMENTED, finding
from crane_infra.migrations.sqlite.dependents import Unsound
from crane_infra.migrations.sqlite.effects import FileTrace
from crane_infra.migrations.sqlite.soundness import Dependent


def left_broken(traces: Sequence[FileTrace], broken: Collection[Dependent]) -> Iterator[Finding]:
    """What the files of one release leave broken; ``broken`` is what does not compile after all of them.

    What traffic may use must work after each file. What is new need not work before the end: a view may come before its table.
    """
    for trace in traces:
        for left in trace.unsound:
            unsound = left.unsound
            was_broken = unsound.before is not None and bool(unsound.before.fault)
            if unsound.now.fault and not was_broken and (left.is_live or unsound.dependent in broken) and not _is_told(trace, unsound):
                what, todo = _explained(unsound)
                yield finding(trace, trace.last_use(unsound), "leaves-broken", "error", what, todo)


def _is_told(trace: FileTrace, unsound: Unsound) -> bool:
    """Whether another rule tells it: that a table still refers to one that the file drops."""
    dropped = frozenset[str]().union(*(statement.effect.drops for statement in trace.statements))
    table = trace.end.get(unsound.dependent.name)
    references = table.references if table and unsound.dependent.kind == "table" else ()
    return any(reference.table in dropped and reference.table not in trace.end for reference in references)


def _explained(unsound: Unsound) -> tuple[str, str]:
    now, kind = unsound.now, unsound.dependent.kind
    if kind == "table":
        what = f"it leaves {now.name} with a foreign key that fits no table ({now.fault}), so writes to {now.name} fail"
        return what, f"Rebuild {now.name} with a foreign key that fits, or create what it refers to"
    result = f"so writes to {now.table} fail" if kind == "trigger" else "so reading it fails"
    what = f"it leaves the {kind} {now.name} broken ({now.fault}), {result}"
    return what, f"Drop the {kind} at the start of the file, and create it again at the end; {DOCUMENTED}"
