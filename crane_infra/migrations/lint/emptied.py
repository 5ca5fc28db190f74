"""Finds columns that are there before and after a file and lose their values in it: dropped and added again, or left out by a rebuild's copy."""

from collections.abc import Iterator

from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.statement_effect import Effect


def emptied_columns(trace: FileTrace, name: str) -> Iterator[tuple[str, int]]:
    """The columns (in lower case) of a table in use that lose their values, each with the number of the statement that does it."""
    if trace.rebuilt(name):
        yield from _left_out(trace, name)
        return
    kept = trace.start[name].columns.keys() & trace.end[name].columns.keys()
    for statement in trace.statements:
        for key in sorted(_dropped(statement.effect, name) & kept):
            yield key, statement.number


def copies_into(trace: FileTrace, name: str) -> list[TracedStatement]:
    """The statements INSERT … SELECT into the table that has this name at the end."""
    return [
        statement
        for statement in trace.statements
        if statement.effect.copy and name in {trace.becomes(target, statement.number) for target in statement.effect.targets}
    ]


def _dropped(effect: Effect, name: str) -> frozenset[str]:
    """The columns that a statement takes from a table, if it does not rename one."""
    before, after = effect.before.get(name), effect.after.get(name)
    if name not in effect.changed or before is None or after is None or after.columns.keys() - before.columns.keys():
        return frozenset()
    return frozenset(before.columns.keys() - after.columns.keys())


def _left_out(trace: FileTrace, name: str) -> Iterator[tuple[str, int]]:
    """The columns that no copy into the new table fills, and no UPDATE of it."""
    copies = copies_into(trace, name)
    filled = {key for statement in copies if statement.effect.copy for key in statement.effect.copy.into}
    filled |= {
        key for statement in trace.statements for table, key in statement.effect.updates if trace.becomes(table, statement.number) == name
    }
    for key, column in trace.end[name].columns.items():
        if copies and key in trace.start[name].columns and key not in filled and not column.generated:
            yield key, copies[0].number
