"""What a pending file would cost in the live database, as questions that a SELECT answers with a number of rows (pure).

Only counts are asked for, never values. A question is about the rows as they are before any pending file.
"""

# ruff: noqa: S608 - quoted names, and conditions that the file itself runs

from collections.abc import Iterator
from dataclasses import dataclass

from crane_infra.migrations.files.tokens import quoted, where_of, written
from crane_infra.migrations.lint.breaking import new_keys, renamed_columns
from crane_infra.migrations.sqlite.copies import written_rows
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.engine import target_of
from crane_infra.migrations.sqlite.keys import UniqueKey
from crane_infra.migrations.sqlite.tables import Table
from crane_infra.migrations.sqlite.tightening import is_never_null, tightening_checks


@dataclass(frozen=True)
class Question:
    """How many rows of a table, named as it is written, something concerns: ``select`` counts them, and ``what`` says what happens to them."""

    table: str
    what: str
    select: str


def questions_of(trace: FileTrace) -> tuple[Question, ...]:
    """What to ask the live database about a file, for the tables that it has before any pending file."""
    tables = [name for name in trace.changed if name in trace.live and trace.live[name].kind == "table"]
    asked = [question for name in tables for question in _of_schema(trace, name, trace.live[name])]
    asked += [question for statement in trace.statements for question in _of_rows(trace, statement)]
    return tuple(dict.fromkeys(asked))


def _of_schema(trace: FileTrace, name: str, table: Table) -> Iterator[Question]:
    new, shown = trace.end.get(name), quoted(table.name)
    if new is None:
        if not trace.renamed_to(name):
            yield Question(table.name, "dropped with the table", f"SELECT COUNT(*) FROM {shown}")
        return
    renamed = renamed_columns(trace, name)
    for key, column in table.columns.items():
        if key not in new.columns and key not in renamed and not column.generated:
            yield Question(
                table.name, f"with a value in the dropped column {column.name}", f"SELECT COUNT({quoted(column.name)}) FROM {shown}"
            )
    if name in trace.start:
        for unique in new_keys(trace, name, trace.start[name], new):
            if not unique.expressions and not unique.conditions and unique.columns <= table.columns.keys():
                yield Question(table.name, f"refused by UNIQUE ({unique.text})", _repeated(shown, unique))
    if trace.rebuilt(name):
        yield from _of_constraints(table, new, trace)


def _repeated(shown: str, key: UniqueKey) -> str:
    """Counts the rows after the first of each value; NULLs are never equal."""
    columns = [quoted(column) for column in sorted(key.columns)]
    there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    return f"SELECT COALESCE(SUM(n - 1), 0) FROM (SELECT COUNT(*) AS n FROM {shown} WHERE {there} GROUP BY {', '.join(columns)})"


def _of_constraints(table: Table, new: Table, trace: FileTrace) -> Iterator[Question]:
    shown = quoted(table.name)
    for key, column in table.columns.items():
        now = new.columns.get(key)
        if now and now.not_null and not column.not_null and not now.automatic and not is_never_null(key, table, new):
            select = f"SELECT COUNT(*) FROM {shown} WHERE {quoted(column.name)} IS NULL"
            yield Question(table.name, f"refused by NOT NULL of {column.name}", select)
    for check in tightening_checks(table, new):
        yield Question(table.name, f"refused by CHECK ({check.text})", f"SELECT COUNT(*) FROM {shown} WHERE NOT ({check.sql}\n)")
    known = {(reference.table, reference.columns) for reference in table.references}
    for reference in new.references:
        if (reference.table, reference.columns) not in known and all(reference.to):
            pairs = [(quoted(column), quoted(to)) for column, to in zip(reference.columns, reference.to, strict=True)]
            there = " AND ".join(f"child.{column} IS NOT NULL" for column, _ in pairs)
            same = " AND ".join(f"parent.{to} = child.{column}" for column, to in pairs)
            missing = f"NOT EXISTS (SELECT 1 FROM {quoted(reference.table)} AS parent WHERE {same})"
            what = f"refused by the foreign key to {trace.named(reference.table)}"
            yield Question(table.name, what, f"SELECT COUNT(*) FROM {shown} AS child WHERE {there} AND {missing}")


def _of_rows(trace: FileTrace, statement: TracedStatement) -> Iterator[Question]:
    effect = statement.effect
    for name in sorted(effect.targets & trace.live.keys()):
        table = trace.live[name]
        if table.kind != "table":
            continue
        if effect.verb in {"delete", "update"}:
            if effect.verb == "update" and effect.updates <= trace.added_columns(statement.number):
                continue
            where = where_of(effect.sql)
            condition = f" WHERE {written(where)}" if where else ""
            what = f"{'deleted' if effect.verb == 'delete' else 'changed'} by statement {statement.number}"
            yield Question(table.name, what, f"SELECT COUNT(*) FROM {target_of(effect.sql)}{condition}")
        elif name in statement.overwrites and (new := written_rows(effect.sql, table)):
            columns, query = new
            keys = [key for key in table.unique if key.columns <= set(columns) and not key.expressions]
            same = [" AND ".join(f"new.{quoted(column)} = old.{quoted(column)}" for column in sorted(key.columns)) for key in keys]
            if same:
                listed = ", ".join(map(quoted, columns))
                exists = f"EXISTS (SELECT 1 FROM new WHERE {' OR '.join(f'({pair})' for pair in sorted(same))})"
                select = f"WITH new ({listed}) AS ({query}\n) SELECT COUNT(*) FROM {quoted(table.name)} AS old WHERE {exists}"
                yield Question(table.name, f"overwritten by statement {statement.number}", select)
