"""The rules about copies of rows that put values elsewhere: columns in another order, and ids that are used again (pure)."""

from collections.abc import Iterator

from crane_infra.migrations.files.tokens import code, unquoted
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.naming import DOCUMENTED, finding
from crane_infra.migrations.sqlite.copies import Copy, Value
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.tables import Tables


def columns_in_another_order(trace: FileTrace) -> Iterator[Finding]:
    """INSERT … SELECT by position that puts values of one column into another one although both tables have both."""
    for statement in trace.statements:
        copy, tables = statement.effect.copy, statement.effect.before
        if copy and copy.by_position and any(_is_misplaced(copy, target, value, tables) for target, value in copy.pairs):
            moved = [(target, value) for target, value in copy.pairs if _is_elsewhere(copy, target, value, tables)]
            shown = ", ".join(f"{_written(value, tables)} into {target}" for target, value in moved)
            what = f"it copies by position, and the columns are in another order: {shown}"
            todo = "Name the columns on both sides: INSERT INTO new (a, b) SELECT a, b FROM old"
            yield finding(trace, statement.number, "mixes-columns", "error", what, todo)


def ids_used_again(trace: FileTrace) -> Iterator[Finding]:
    """Rebuilds after which AUTOINCREMENT no longer knows the highest id that was ever used."""
    for name in trace.changed:
        old = trace.live.get(name)
        if old is None or not old.autoincrement or not trace.rebuilt(name):
            continue
        if trace.end[name].autoincrement and any(_sets_sequence(trace, statement, name) for statement in trace.statements):
            continue
        at = next((statement.number for statement in trace.statements if statement.replaced == name), 1)
        what = f"the rebuild of {old.name} forgets the highest id that AUTOINCREMENT gave, so ids of deleted rows may be given again"
        todo = f"Keep AUTOINCREMENT, and copy the row of sqlite_sequence before the drop; {DOCUMENTED}"
        yield finding(trace, at, "reuses-ids", "warning", what, todo)


def _is_elsewhere(copy: Copy, target: str, value: Value, tables: Tables) -> bool:
    """Whether a column gets the value of another one, and one of the two tables has both."""
    source = tables.get(value.table)
    if source is None or target in {value.column, value.name}:
        return False
    return target in source.columns or value.column in copy.into


def _is_misplaced(copy: Copy, target: str, value: Value, tables: Tables) -> bool:
    """Whether a column gets the value of another one although the table has its own, and one of the two goes elsewhere as well."""
    if not _is_elsewhere(copy, target, value, tables) or target not in tables[value.table].columns:
        return False
    return any(
        (into == value.column and other.column != into) or (other.table == value.table and other.column == target)
        for into, other in copy.pairs
    )


def _written(value: Value, tables: Tables) -> str:
    return tables[value.table].columns[value.column].name


def _sets_sequence(trace: FileTrace, statement: TracedStatement, name: str) -> bool:
    """Whether a statement writes the row of sqlite_sequence for the table that has this name at the end."""
    if not statement.effect.writes_sequence:
        return False
    named = {unquoted(token.text).lower() for token in code(statement.effect.sql) if token.kind == "text"}
    return name in {trace.becomes(table, statement.number) for table in named}
