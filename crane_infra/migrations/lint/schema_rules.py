"""The rules about new columns that existing rows cannot have (pure)."""

from collections.abc import Iterable, Iterator

from crane_infra.migrations.lint.breaking import additions, given_columns
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.naming import finding
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.trial import refusal_with_a_row


def not_null_without_default(trace: FileTrace) -> Iterator[Finding]:
    """New NOT NULL columns without a default, in tables that traffic uses."""
    for name in _live(trace, trace.changed):
        given = given_columns(trace, name)
        for key, column in additions(trace, name).items():
            if column.not_null and column.default is None and not column.automatic and key not in given:
                at = trace.when(lambda tables, name=name, key=key: name in tables and key in tables[name].columns)  # type: ignore[misc]
                what = (
                    f"adds the column {column.name} to {trace.named(name)} as NOT NULL without a default, "
                    "which fails on existing rows and on each row that the version in traffic adds"
                )
                yield finding(trace, at, "adds-not-null-without-default", "error", what, "Give it a DEFAULT, or allow NULL")


def fails_on_rows(trace: FileTrace) -> Iterator[Finding]:
    """New columns that SQLite accepts only while the table is empty."""
    for statement in trace.statements:
        for name in _live(trace, sorted(statement.effect.changed)):
            before = statement.effect.before.get(name)
            if before and _grows(statement, name) and (refusal := refusal_with_a_row(statement.effect.sql, before)):
                what = f"SQLite refuses it once {before.name} has rows: {refusal}"
                todo = "Add the column with a constant default or without one, and fill it in a later statement"
                yield finding(trace, statement.number, "fails-on-rows", "error", what, todo)


def _live(trace: FileTrace, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in trace.live]


def _grows(statement: TracedStatement, name: str) -> bool:
    before, after = statement.effect.before.get(name), statement.effect.after.get(name)
    if before is None or after is None or before.kind != "table" or not before.columns.keys() < after.columns.keys():
        return False
    return all(not column.not_null or column.default is not None for key, column in after.columns.items() if key not in before.columns)
