"""The tables of a SQLite database as a scrub sees them: columns, keys, what refers to what, full-text tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import apsw

from crane_infra.data.shapes import WITHOUT_ROWS, rowid_alias
from crane_infra.data.virtual import virtual_table
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.own_tables import is_users

_ORDINARY, _GENERATED = 0, (2, 3)
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


class Column(NamedTuple):
    """A column. ``key`` is its place in the primary key, 0 outside of it."""

    name: str
    type: str
    is_generated: bool
    is_required: bool
    key: int


class Reference(NamedTuple):
    """A foreign key: these columns refer to those of ``parent``. ``on_delete`` is what its table declares."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str


class Table(NamedTuple):
    """A table with rows of its own. ``module`` is that of a virtual table."""

    name: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    module: str | None = None
    rowid: str | None = None
    """The name by which its rowid can be read and written, where no column is the rowid already."""

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns that a row is written with."""
        return tuple(column.name for column in self.columns if not column.is_generated)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key, in its order; empty without one."""
        return tuple(column.name for column in sorted(self.columns, key=lambda column: column.key) if column.key)

    def column(self, name: str) -> Column | None:
        """The column of this name."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Schema:
    """The users' tables, and the full-text tables that only index rows of others."""

    tables: tuple[Table, ...]
    indexes: tuple[str, ...] = ()
    """Full-text tables without rows of their own: they are filled from what they index."""
    emptied: tuple[str, ...] = ()
    """Those of them that keep no text at all, so that only triggers can fill them."""
    triggers: tuple[tuple[str, str], ...] = field(default=())
    """Name and SQL of each."""

    def table(self, name: str) -> Table | None:
        """The table of this name."""
        return next((table for table in self.tables if table.name.lower() == name.lower()), None)


def read_schema(db: apsw.Connection) -> Schema:
    """Read the schema of a database."""
    listed = [(name, kind, wr) for _, name, kind, _, wr, _ in db.execute("PRAGMA main.table_list") if is_users(name)]
    statements = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND rootpage = 0")
    virtual = {name: virtual_table(sql) for name, sql in statements}
    indexes = sorted(name for name, table in virtual.items() if table.content is not None)
    plain = [_table(db, name, bool(without)) for name, kind, without in listed if kind == "table"]
    own = [
        Table(name, tuple(_columns(db, name)), module=table.module, rowid="rowid")
        for name, table in virtual.items()
        if name not in indexes and table.module not in WITHOUT_ROWS and is_users(name)
    ]
    triggers = tuple(
        (name, sql)
        for name, sql in db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid")
        if is_users(name)
    )
    emptied = tuple(name for name in indexes if not virtual[name].content)
    return Schema(tuple(sorted([*plain, *own], key=lambda table: table.name)), tuple(indexes), emptied, triggers)


def _table(db: apsw.Connection, name: str, without_rowid: bool) -> Table:  # noqa: FBT001
    columns = tuple(_columns(db, name))
    unique = tuple(
        tuple(column for (column,) in db.execute("SELECT name FROM pragma_index_info(?) WHERE name IS NOT NULL ORDER BY seqno", (index,)))
        for (index,) in db.execute('SELECT name FROM pragma_index_list(?) WHERE "unique" ORDER BY seq', (name,))
    )
    return Table(name, columns, tuple(_references(db, name)), unique, rowid=None if without_rowid else _rowid(db, name, columns))


def _columns(db: apsw.Connection, name: str) -> Iterator[Column]:
    for _, column, kind, required, _, key, hidden in db.execute(f"PRAGMA table_xinfo({quoted(name)})"):
        if hidden == _ORDINARY or hidden in _GENERATED:
            yield Column(column, kind, hidden in _GENERATED, bool(required), key)


def _references(db: apsw.Connection, name: str) -> Iterator[Reference]:
    rows = list(db.execute(f"PRAGMA foreign_key_list({quoted(name)})"))
    for number in dict.fromkeys(row[0] for row in rows):
        parts = sorted((row for row in rows if row[0] == number), key=lambda row: row[1])
        parent = parts[0][2]
        named = tuple(row[4] for row in parts if row[4])
        yield Reference(tuple(row[3] for row in parts), parent, named or _key(db, parent), parts[0][6].upper())


def _key(db: apsw.Connection, name: str) -> tuple[str, ...]:
    return tuple(column.name for column in sorted(_columns(db, name), key=lambda column: column.key) if column.key)


def _rowid(db: apsw.Connection, name: str, columns: Sequence[Column]) -> str | None:
    """The name of the rowid; None where the only column of the key is the rowid, or every name of it is that of a column."""
    if rowid_alias(db, name, [(column.name, column.type, column.key) for column in columns]):
        return None
    taken = {column.name.lower() for column in columns}
    return next((name for name in _ROWID_NAMES if name not in taken), None)
