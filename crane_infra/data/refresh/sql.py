"""The SQL that replaces all rows of a database with those of a scrubbed copy, for D1's import, which runs it as one transaction (pure but for the copy).

Triggers rest meanwhile, since what they would write is among the rows already; indexes of texts are built from the rows at the end.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import apsw

from crane_infra.data.circles import passing_indexes
from crane_infra.data.inserts import inserts
from crane_infra.data.lines import RawText, Value
from crane_infra.data.order import parents_first
from crane_infra.data.scrub.schema import Schema, Table, read_schema
from crane_infra.data.shapes import Shape, shapes_of
from crane_infra.migrations.files.tokens import quoted


def replacing_statements(scrubbed: Path, triggers: Sequence[tuple[str, str]], first: Sequence[str], last: Sequence[str]) -> Iterator[str]:
    """``first``, the exchange of all rows, then ``last``, each statement without its semicolon.

    ``triggers`` are those of the target, by name, with their SQL.
    """
    with closing(apsw.Connection(str(scrubbed), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        yield from _statements(db, read_schema(db), triggers, first, last)


def _statements(
    db: apsw.Connection, schema: Schema, triggers: Sequence[tuple[str, str]], first: Sequence[str], last: Sequence[str]
) -> Iterator[str]:
    ordered = ordered_tables(schema)
    yield "PRAGMA defer_foreign_keys = ON"
    yield from first
    yield from (f"DROP TRIGGER {quoted(name)}" for name, _ in triggers)
    circles = passing_indexes(db, [table.name for table in ordered], own_count=True)
    yield from (index.create for index in circles)
    yield from (statement for table in ordered for statement in _without_circles(table))
    yield from (f"DELETE FROM {quoted(table.name)}" for table in reversed(ordered))  # noqa: S608
    shapes = {shape.name: shape for shape in shapes_of(db, "the scrubbed copy")}
    for table in ordered:
        yield from inserts(shapes[table.name], _rows(db, shapes[table.name]))
    yield from (index.drop for index in circles)
    for name in schema.indexes:
        how = "delete-all" if name in schema.emptied else "rebuild"
        yield f"INSERT INTO {quoted(name)} ({quoted(name)}) VALUES ('{how}')"  # noqa: S608
    yield from (sql for _, sql in triggers)
    yield from last


def ordered_tables(schema: Schema) -> list[Table]:
    """The tables, each after those that it refers to, as far as circles allow that."""
    by_name = {table.name.lower(): table for table in schema.tables}
    parents = {name: [reference.parent.lower() for reference in table.references] for name, table in by_name.items()}
    return [by_name[name] for name in parents_first(parents)]


def _without_circles(table: Table) -> Iterator[str]:
    """Take away references that would stop the deletion at once: RESTRICT does not wait for the end of the transaction."""
    required = {column.name.lower() for column in table.columns if column.is_required or column.key}
    for reference in table.references:
        if reference.on_delete == "RESTRICT" and not {name.lower() for name in reference.columns} & required:
            yield f"UPDATE {quoted(table.name)} SET {', '.join(f'{quoted(name)} = NULL' for name in reference.columns)}"  # noqa: S608


def _rows(db: apsw.Connection, shape: Shape) -> Iterator[list[Value]]:
    """The rows of a table, each value as exact as in the file."""
    selected = ", ".join(
        f"typeof({name}), CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END" for name in shape.cells
    )
    for row in db.execute(f"SELECT {selected} FROM {shape.sql}"):  # noqa: S608
        yield [
            _text(value) if kind == "text" and isinstance(value, bytes) else value for kind, value in zip(row[::2], row[1::2], strict=True)
        ]


def _text(octets: bytes) -> str | RawText:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return RawText(octets)
