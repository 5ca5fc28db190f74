"""The rules about the version in traffic, which runs on the new schema until the next version replaces it (pure)."""

from collections.abc import Iterator, Sequence

from crane_infra.migrations.lint.breaking import Change, additions, takings
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.naming import finding
from crane_infra.migrations.sqlite.effects import FileTrace


def undeclared_contracts(trace: FileTrace) -> Iterator[Finding]:
    """Everything that a file takes away, as warnings; an error if it does not declare ``contract``."""
    changes = takings(trace)
    for change in changes:
        yield finding(trace, change.statement, change.rule, "warning", change.what, change.todo)
    kind = trace.file.header.kind
    if changes and kind != "contract":
        what = f"it declares -- crane: expand but {changes[0].what}" if kind else f"it does not declare that it {changes[0].what}"
        todo = "Write -- crane: contract at its top, and release it after the code that no longer needs the old schema"
        yield finding(trace, changes[0].statement, "contract-not-declared", "error", what, todo)


def mixed_changes(trace: FileTrace) -> Iterator[Finding]:
    """A column dropped in the same file that adds another one to the table."""
    for change in takings(trace):
        if change.rule == "drops-column" and not change.keeps_column and (added := additions(trace, change.table)):
            new = ", ".join(column.name for column in added.values())
            what = (
                f"it {change.what} and adds {new} in the same file: "
                "the version in traffic needs the old column, and the next version the new one"
            )
            todo = "Add the new column in this release, and drop the old one in a later release, with -- crane: contract"
            yield finding(trace, change.statement, "contract-with-expand", "error", what, todo)
            return


def findings_together(traces: Sequence[FileTrace]) -> Iterator[Finding]:
    """What is wrong with files only because they run in one release: a contract after the expand that prepares for it.

    A file that only writes rows prepares for nothing.
    """
    for index, trace in enumerate(traces):
        first_change = {change.table: change for change in reversed(takings(trace))}
        for table, change in first_change.items():
            preparing = next((other for other in traces[:index] if _prepares(other, table)), None)
            if preparing is not None:
                yield _with_expand(trace, change, preparing.file.path)


def _with_expand(trace: FileTrace, change: Change, preparing: str) -> Finding:
    what = f"it {change.what}, and {preparing} in the same release prepares for that, so the version in traffic still needs the old schema"
    todo = f"Release {preparing} first, with the code that no longer needs the old schema, and this file in a later release"
    return finding(trace, change.statement, "contract-with-expand", "error", what, todo)


def _prepares(trace: FileTrace, table: str) -> bool:
    changes_schema = any(statement.effect.changes_schema for statement in trace.statements)
    return changes_schema and table in trace.touched | trace.read and table not in {change.table for change in takings(trace)}
