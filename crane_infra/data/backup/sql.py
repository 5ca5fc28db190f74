"""A database as the SQL that makes it, for D1's import: tables, rows, then indexes, views, triggers and full-text indexes.

Rows are as exact as in the file: texts that are not valid Unicode and blobs in hexadecimal, long values in parts. Parents come before children.
"""

# ruff: noqa: S608 - names are quoted, values are literals

from collections.abc import AsyncIterator, Iterator, Sequence

import apsw

from crane_infra.data.circles import passing_indexes
from crane_infra.data.copy import read_schema
from crane_infra.data.inserts import inserts
from crane_infra.data.lines import values_in
from crane_infra.data.order import parents_first
from crane_infra.data.pages import pages
from crane_infra.data.shapes import SchemaObject, Shape, shapes_of
from crane_infra.data.source import LocalSource
from crane_infra.migrations.files.split import sql_literal
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.engine import rows

BEGIN = ("PRAGMA defer_foreign_keys = ON", "PRAGMA ignore_check_constraints = ON")
"""What each import begins with; both end with it."""
_AFTER_ROWS = ("index", "view", "trigger")


async def restoring_statements(db: apsw.Connection, where: str) -> AsyncIterator[str]:
    """The statements that make an equal database out of an empty one, each without its semicolon."""
    source = LocalSource(db, where)
    schema, shapes = await read_schema(source), shapes_of(db, where)
    shadows = {name for (name,) in rows(db, "SELECT name FROM pragma_table_list WHERE type = 'shadow'")}
    for each in schema:
        if each.type == "table" and each.name not in shadows:
            yield each.sql
    ordered = _parents_first(db, [shape for shape in shapes if shape.kind == "rows"])
    circles = passing_indexes(db, [shape.name for shape in ordered], own_count=False)
    for index in circles:
        yield index.create
    for shape in ordered:
        async for page in pages(source, shape):
            for statement in inserts(shape, map(values_in, page.lines)):
                yield statement
    for index in circles:
        yield index.drop
    for statement in _after_rows(db, schema, shapes):
        yield statement


def dropping_statements(db: apsw.Connection, schema: Sequence[SchemaObject], where: str) -> list[str]:
    """The statements that empty a database with this schema, whose tables ``db`` has: children go before their parents."""
    shadows = {name for (name,) in rows(db, "SELECT name FROM pragma_table_list WHERE type = 'shadow'")}
    tables = [shape.name for shape in _parents_first(db, shapes_of(db, where))]
    kinds = ("trigger", "view", "index")
    others = [each for kind in kinds for each in schema if each.type == kind and each.name not in shadows]
    return [
        *(f"DROP {each.type.upper()} IF EXISTS {quoted(each.name)}" for each in others),
        *(index.create for index in passing_indexes(db, tables, own_count=False)),
        *(f"DROP TABLE IF EXISTS {quoted(name)}" for name in reversed(tables)),
    ]


def _after_rows(db: apsw.Connection, schema: Sequence[SchemaObject], shapes: Sequence[Shape]) -> Iterator[str]:
    if any("AUTOINCREMENT" in each.sql.upper() for each in schema):
        yield "DELETE FROM sqlite_sequence"
        for name, sequence in rows(db, "SELECT name, seq FROM sqlite_sequence ORDER BY rowid"):
            yield f"INSERT INTO sqlite_sequence (name, seq) VALUES ({sql_literal(name)}, {sequence})"
    for kind in _AFTER_ROWS:
        yield from (each.sql for each in schema if each.type == kind)
    yield from (f"INSERT INTO {shape.sql}({shape.sql}) VALUES ('rebuild')" for shape in shapes if shape.can_rebuild)


def _parents_first(db: apsw.Connection, shapes: Sequence[Shape]) -> list[Shape]:
    by_name = {shape.name.lower(): shape for shape in shapes}
    parents = {
        name: [str(parent).lower() for (parent,) in rows(db, 'SELECT "table" FROM pragma_foreign_key_list(?)', shape.name)]
        for name, shape in by_name.items()
    }
    return [by_name[name] for name in parents_first(parents)]
