"""The SQL that replaces all rows of a database with those of a scrubbed copy, for D1's import, which runs it as one transaction (pure but for the file).

Triggers rest meanwhile, since what they would write is among the rows already; indexes of texts are built from the rows at the end.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import apsw

from crane_infra.data.lines import RawText, literal
from crane_infra.data.scrub.schema import Schema, Table, parents_first, read_schema
from crane_infra.errors import DataError
from crane_infra.migrations.files.split import LONGEST_STATEMENT, sql_literal
from crane_infra.migrations.files.tokens import quoted

LARGEST = 300_000_000
"""Characters of one import here: it is held in memory."""
_ROOM = LONGEST_STATEMENT - 10_000
_PART = 30_000
"""Bytes of a long value that one statement holds."""
Cell = tuple[str, object]
"""The type of a value and the value; a text is its bytes."""


def replacing_sql(scrubbed: Path, triggers: Sequence[tuple[str, str]], first: Sequence[str], last: Sequence[str]) -> str:
    """All statements: ``first``, the exchange of the rows, ``last``. ``triggers`` are those of the target, by name, with their SQL.

    Raises DataError where that is more than one import takes.
    """
    pieces, size = list[str](), 0
    with closing(apsw.Connection(str(scrubbed), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        for statement in _statements(db, read_schema(db), triggers, first, last):
            pieces.append(f"{statement};\n")
            size += len(pieces[-1])
            if size > LARGEST:
                what = f"its scrubbed rows are more than {LARGEST:,} characters of SQL, which is too much for one import"
                raise DataError(f"database {scrubbed.stem}", what, "Let staging have fewer rows, with Sample or Where")
    return "".join(pieces)


def _statements(
    db: apsw.Connection, schema: Schema, triggers: Sequence[tuple[str, str]], first: Sequence[str], last: Sequence[str]
) -> Iterator[str]:
    ordered = parents_first(schema.tables)
    yield "PRAGMA defer_foreign_keys = ON"
    yield from first
    yield from (f"DROP TRIGGER {quoted(name)}" for name, _ in triggers)
    yield from (statement for table in ordered for statement in _without_circles(table))
    yield from (f"DELETE FROM {quoted(table.name)}" for table in reversed(ordered))  # noqa: S608
    for table in ordered:
        yield from _inserts(db, table)
    for name in schema.indexes:
        how = "delete-all" if name in schema.emptied else "rebuild"
        yield f"INSERT INTO {quoted(name)} ({quoted(name)}) VALUES ('{how}')"  # noqa: S608
    yield from (sql for _, sql in triggers)
    yield from last


def _without_circles(table: Table) -> Iterator[str]:
    """Take away references that would stop the deletion at once: RESTRICT does not wait for the end of the transaction."""
    required = {column.name.lower() for column in table.columns if column.is_required or column.key}
    for reference in table.references:
        if reference.on_delete == "RESTRICT" and not {name.lower() for name in reference.columns} & required:
            yield f"UPDATE {quoted(table.name)} SET {', '.join(f'{quoted(name)} = NULL' for name in reference.columns)}"  # noqa: S608


def _inserts(db: apsw.Connection, table: Table) -> Iterator[str]:
    """INSERTs of as many rows as fit one statement; a row with long values comes in several."""
    columns = [*([table.rowid] if table.rowid else []), *map(quoted, table.stored)]
    head = f"INSERT INTO {quoted(table.name)} ({', '.join(columns)}) VALUES "  # noqa: S608
    rows, size = list[str](), len(head)
    for cells in _rows(db, table, columns):
        row = f"({','.join(_literal(*_first_part(cell)) for cell in cells)})"
        if rows and size + len(row) > _ROOM:
            yield head + ",".join(rows)
            rows, size = [], len(head)
        rows.append(row)
        size += len(row.encode()) + 1
        if rest := list(_rest(table, columns, cells)):
            yield head + ",".join(rows)
            yield from rest
            rows, size = [], len(head)
    if rows:
        yield head + ",".join(rows)


def _rows(db: apsw.Connection, table: Table, columns: Sequence[str]) -> Iterator[list[Cell]]:
    selected = ", ".join(f"typeof({name}), CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END" for name in columns)
    for row in db.execute(f"SELECT {selected} FROM {quoted(table.name)}"):  # noqa: S608
        yield list(zip(row[::2], row[1::2], strict=True))


def _first_part(cell: Cell) -> Cell:
    kind, value = cell
    return (kind, value[:_PART]) if isinstance(value, bytes) and len(value) > _PART else cell


def _rest(table: Table, columns: Sequence[str], cells: Sequence[Cell]) -> Iterator[str]:
    """The statements that add what did not fit the INSERT of a row to its long values."""
    key = [table.rowid] if table.rowid else list(map(quoted, table.key))
    where = " AND ".join(f"{name} = {_literal(*cells[columns.index(name)])}" for name in key)
    for name, (kind, value) in zip(columns, cells, strict=True):
        if isinstance(value, bytes):
            for at in range(_PART, len(value), _PART):
                added = f"{name} || {_literal(kind, value[at : at + _PART])}"
                whole = added if kind == "text" else f"CAST({added} AS BLOB)"
                yield f"UPDATE {quoted(table.name)} SET {name} = {whole} WHERE {where}"  # noqa: S608


def _literal(kind: str, value: object) -> str:
    if kind == "text" and isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return literal(RawText(value))
        return sql_literal(text) if "\0" not in text else literal(RawText(value))
    if value is None or isinstance(value, int | float | bytes):
        return literal(value)
    message = f"a value of the type {kind}"
    raise ValueError(message)
