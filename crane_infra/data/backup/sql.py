"""A database as the SQL that makes it, for D1's import: tables, rows, then indexes, views, triggers and full-text indexes.

Rows are as exact as in the file: texts that are not valid Unicode and blobs in hexadecimal, long values in parts. Parents come before children.
"""

# ruff: noqa: S608 - names are quoted, values are literals

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import apsw

from crane_infra.data.copy import read_schema
from crane_infra.data.lines import RawText, Value, literal, values_in
from crane_infra.data.pages import pages
from crane_infra.data.shapes import SchemaObject, Shape, shapes_of
from crane_infra.data.source import LocalSource
from crane_infra.migrations.files.split import LONGEST_STATEMENT, sql_literal
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.engine import rows

BEGIN = ("PRAGMA defer_foreign_keys = ON", "PRAGMA ignore_check_constraints = ON")
"""What each import begins with; both end with it."""
_ROOM = LONGEST_STATEMENT - 10_000
_PART = 30_000
"""Bytes of a long value in one statement."""
_ENOUGH = 1 << 40
_STEPS = 15_000
"""Steps of SQLite's virtual machine that the VALUES of one statement may have, of the 25,000 that D1 takes."""
_AFTER_ROWS = ("index", "view", "trigger")


async def restoring_statements(db: apsw.Connection, where: str) -> AsyncIterator[str]:
    """The statements that make an equal database out of an empty one, each without its semicolon."""
    source = LocalSource(db, where)
    schema, shapes = await read_schema(source), shapes_of(db, where)
    shadows = {name for (name,) in rows(db, "SELECT name FROM pragma_table_list WHERE type = 'shadow'")}
    for each in schema:
        if each.type == "table" and each.name not in shadows:
            yield each.sql
    for shape in _parents_first(db, [shape for shape in shapes if shape.kind == "rows"]):
        async for page in pages(source, shape):
            for statement in inserts(shape, map(values_in, page.lines)):
                yield statement
    for statement in _after_rows(db, schema, shapes):
        yield statement


def dropping_statements(db: apsw.Connection, schema: Sequence[SchemaObject], where: str) -> list[str]:
    """The statements that empty a database with this schema, whose tables ``db`` has: children go before their parents."""
    shadows = {name for (name,) in rows(db, "SELECT name FROM pragma_table_list WHERE type = 'shadow'")}
    tables = [shape.name for shape in reversed(_parents_first(db, shapes_of(db, where)))]
    kinds = ("trigger", "view", "index")
    others = [each for kind in kinds for each in schema if each.type == kind and each.name not in shadows]
    return [
        *(f"DROP {each.type.upper()} IF EXISTS {quoted(each.name)}" for each in others),
        *(f"DROP TABLE IF EXISTS {quoted(name)}" for name in tables),
    ]


def inserts(shape: Shape, values: Iterable[Sequence[Value]]) -> Iterator[str]:
    """INSERTs of as many rows as one statement takes; a row with long values comes in several statements."""
    head = f"INSERT INTO {shape.sql} ({', '.join(shape.cells)}) VALUES "
    most, texts, size = max(1, _STEPS // (len(shape.cells) + 4)), list[str](), 0
    for row in values:
        text, room = _row(row), _ENOUGH
        if (length := len(text.encode()) + 1) > _ROOM:
            room = _PART // len(row)
            keys = {column.cell for column in shape.key}
            text = _row([value if number in keys else _first_part(value, room) for number, value in enumerate(row)])
            length = len(text.encode()) + 1
        if texts and (size + length > _ROOM or len(texts) == most):
            yield head + ",".join(texts)
            texts, size = [], 0
        texts.append(text)
        size += length
        if rest := list(_rest(shape, row, room)):
            yield head + ",".join(texts)
            yield from rest
            texts, size = [], 0
    if texts:
        yield head + ",".join(texts)


def _after_rows(db: apsw.Connection, schema: Sequence[SchemaObject], shapes: Sequence[Shape]) -> Iterator[str]:
    if any("AUTOINCREMENT" in each.sql.upper() for each in schema):
        yield "DELETE FROM sqlite_sequence"
        for name, sequence in rows(db, "SELECT name, seq FROM sqlite_sequence ORDER BY rowid"):
            yield f"INSERT INTO sqlite_sequence (name, seq) VALUES ({sql_literal(name)}, {sequence})"
    for kind in _AFTER_ROWS:
        yield from (each.sql for each in schema if each.type == kind)
    yield from (f"INSERT INTO {shape.sql}({shape.sql}) VALUES ('rebuild')" for shape in shapes if shape.can_rebuild)


def _parents_first(db: apsw.Connection, shapes: Sequence[Shape]) -> list[Shape]:
    """The tables so that each comes after those that it refers to, as far as they do not refer to each other in a circle."""
    by_name = {shape.name.lower(): shape for shape in shapes}
    parents = {
        name: {str(parent).lower() for (parent,) in rows(db, 'SELECT "table" FROM pragma_foreign_key_list(?)', shape.name)} - {name}
        for name, shape in by_name.items()
    }
    ordered = dict[str, Shape]()
    while len(ordered) < len(by_name):
        left = [name for name in by_name if name not in ordered]
        free = [name for name in left if not (parents[name] & set(left))]
        ordered |= {name: by_name[name] for name in free or left[:1]}
    return list(ordered.values())


def _row(row: Sequence[Value]) -> str:
    return f"({','.join(map(_literal, row))})"


def _octets(value: Value) -> bytes | None:
    """The bytes of a text or blob."""
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None


def _first_part(value: Value, room: int) -> Value:
    octets = _octets(value)
    if octets is None or len(octets) <= room:
        return value
    return RawText(octets[:room]) if isinstance(value, str | RawText) else octets[:room]


def _rest(shape: Shape, row: Sequence[Value], room: int) -> Iterator[str]:
    """The statements that add to the long values of a row what did not fit its INSERT."""
    keys = {column.cell for column in shape.key}
    where = " AND ".join(f"{column.sql} = {_literal(row[column.cell])}" for column in shape.key)
    for number, (name, value) in enumerate(zip(shape.cells, row, strict=True)):
        octets, is_text = _octets(value), isinstance(value, str | RawText)
        for at in range(room, len(octets), _PART) if octets and number not in keys else ():
            part = (octets or b"")[at : at + _PART]
            added = f"{name} || {literal(RawText(part)) if is_text else literal(part)}"
            yield f"UPDATE {shape.sql} SET {name} = {added if is_text else f'CAST({added} AS BLOB)'} WHERE {where}"


def _literal(value: Value) -> str:
    if isinstance(value, str) and value.isprintable():
        return sql_literal(value)
    return literal(value)
