"""What the tables of a database look like to somebody who copies their rows: columns, and the key by which rows are paged.

The schema is created in an empty SQLite, which then says itself what each table is. No SQL is parsed.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import apsw

from crane_infra.data.virtual import virtual_table
from crane_infra.errors import DataError
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.engine import FAILURES, rows

Kind = Literal["rows", "index of others", "unreadable"]
_ROWIDS = ("rowid", "_rowid_", "oid")
_MADE_BY_SQLITE = ("sqlite_", "_cf_")
_HIDDEN, _GENERATED = 1, {2, 3}
WITHOUT_ROWS = {"fts5vocab"}
"""Modules of virtual tables that only show what another table has."""


class SchemaObject(NamedTuple):
    """A table, index, view or trigger as ``sqlite_master`` has it."""

    type: str
    name: str
    table: str
    sql: str


class KeyColumn(NamedTuple):
    """One column of a key: how SQL names it, and whether it runs backwards. ``cell`` is its number in a line."""

    sql: str
    cell: int
    descending: bool = False


class Shape(NamedTuple):
    """One table. ``cells`` are what a line of it holds, as SQL names them: the row id first, where no column is it.

    ``kind`` "index of others" is a virtual table without rows of its own: ``rebuild`` fills it from other tables. An "unreadable" one keeps an
    index of texts that it does not keep. ``is_virtual`` tables are filled like others, and keep order and content, not bytes. ``has_rowids``: the key is the row id, an
    integer.
    """

    name: str
    cells: tuple[str, ...]
    key: tuple[KeyColumn, ...]
    kind: Kind = "rows"
    is_virtual: bool = False
    has_rowids: bool = True

    @property
    def sql(self) -> str:
        """The quoted name."""
        return quoted(self.name)

    @property
    def can_rebuild(self) -> bool:
        """Whether it is filled by ``INSERT INTO t(t) VALUES ('rebuild')``."""
        return self.kind == "index of others" and bool(self.cells)


def is_copied(name: str) -> bool:
    """Whether an object belongs to the database's user or to a ledger, not to SQLite or D1 themselves."""
    return not name.lower().startswith(_MADE_BY_SQLITE)


def create_tables(db: apsw.Connection, schema: Sequence[SchemaObject], where: str) -> None:
    """Create the tables of a schema, the virtual ones with those that they bring along. Raises DataError for SQL that SQLite refuses."""
    tables = [each for each in schema if each.type == "table"]
    virtual = [table for table in tables if _is_virtual(table.sql)]
    for table in [*virtual, *(table for table in tables if table not in virtual)]:
        if not (virtual and rows(db, "SELECT 1 FROM sqlite_master WHERE name = ?", table.name)):
            execute(db, table.sql, f"{where}, table {table.name}")


def execute(db: apsw.Connection, sql: str, where: str) -> None:
    """Run one statement of a schema; raises DataError where SQLite refuses it."""
    try:
        db.execute(sql)
    except FAILURES as error:
        raise DataError(where, f"SQLite refuses its SQL: {error}", "Report it with the SQL of the object") from None


def shapes_of(db: apsw.Connection, where: str) -> list[Shape]:
    """The tables in a database, in the order of their names. Raises DataError for one that cannot be paged."""
    tables = rows(db, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') ORDER BY name")
    return [_shape(db, name, kind, where, is_keyed=bool(keyed)) for name, kind, keyed in tables if is_copied(name)]


def _is_virtual(sql: str) -> bool:
    return sql.upper().split(maxsplit=2)[:2] == ["CREATE", "VIRTUAL"]


def _shape(db: apsw.Connection, name: str, kind: str, where: str, *, is_keyed: bool) -> Shape:
    columns = rows(db, "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)", name)
    stored = [column for column, _, _, hidden in columns if hidden not in {_HIDDEN, *_GENERATED}]
    cells = [quoted(column) for column in stored]
    if kind == "virtual":
        return _virtual(db, name, cells)
    if is_keyed:
        return Shape(name, tuple(cells), tuple(_primary_key(db, name, stored)), has_rowids=False)
    if alias := rowid_alias(db, name, [column[:3] for column in columns]):
        return Shape(name, tuple(cells), (KeyColumn(quoted(alias), stored.index(alias)),))
    taken = {column.lower() for column, *_ in columns}
    free = next((rowid for rowid in _ROWIDS if rowid not in taken), None)
    if free is None:
        what = "it has columns named rowid, _rowid_ and oid, so its rows cannot be told apart"
        raise DataError(f"{where}, table {name}", what, "Rename one of these columns")
    return Shape(name, (free, *cells), (KeyColumn(free, 0),))


def rowid_alias(db: apsw.Connection, table: str, columns: Sequence[tuple[str, str, int]]) -> str:
    """The INTEGER PRIMARY KEY, which is the row id itself; empty where there is none. ``columns``: name, type, and place in the primary key or 0.

    One that is declared DESC is none: SQLite gives it an index of its own.
    """
    keys = [(column, kind) for column, kind, key in columns if key]
    if len(keys) != 1 or keys[0][1].upper() != "INTEGER":
        return ""
    has_index = rows(db, "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", table)
    return "" if has_index else keys[0][0]


def _primary_key(db: apsw.Connection, name: str, stored: Sequence[str]) -> list[KeyColumn]:
    ((index,),) = rows(db, "SELECT name FROM pragma_index_list(?) WHERE origin = 'pk'", name)
    parts = rows(db, 'SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno', index)
    return [KeyColumn(_collated(db, name, column, coll), stored.index(column), bool(down)) for column, down, coll in parts]


def _collated(db: apsw.Connection, table: str, column: str, collation: str) -> str:
    """The column, with the collation of the index where it is not its own."""
    own = db.column_metadata(None, table, column)[1]
    return quoted(column) if own.upper() == collation.upper() else f"{quoted(column)} COLLATE {collation}"


def _virtual(db: apsw.Connection, name: str, cells: Sequence[str]) -> Shape:
    table = virtual_table(str(rows(db, "SELECT sql FROM sqlite_master WHERE name = ?", name)[0][0]))
    if table.module in WITHOUT_ROWS:
        return Shape(name, (), (), "index of others", is_virtual=True)
    if table.module.startswith("rtree"):
        return Shape(name, tuple(cells), (KeyColumn(cells[0], 0),), is_virtual=True)
    kind: Kind = "rows" if table.content is None else "index of others" if table.content else "unreadable"
    return Shape(name, ("rowid", *cells), (KeyColumn("rowid", 0),), kind, is_virtual=True)
