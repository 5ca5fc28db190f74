"""Reads a table of a SQLite database as lint compares it: columns, unique keys, references and checks.

SQLite reports them, so hardly any SQL is parsed. Rows and triggers are not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import apsw

from crane_infra.migrations.files.tokens import code, normal
from crane_infra.migrations.sqlite.checks import Check, checks_in
from crane_infra.migrations.sqlite.engine import rows
from crane_infra.migrations.sqlite.keys import UniqueKey, key_of_columns, key_of_index

_AFFINITIES = (
    ("INT", "INTEGER"),
    ("CHAR", "TEXT"),
    ("CLOB", "TEXT"),
    ("TEXT", "TEXT"),
    ("BLOB", "BLOB"),
    ("REAL", "REAL"),
    ("FLOA", "REAL"),
    ("DOUB", "REAL"),
)
_VIRTUAL, _STORED = 2, 3  # how table_xinfo marks generated columns


class Column(NamedTuple):
    """A column as ``PRAGMA table_xinfo`` reports it."""

    name: str
    type: str
    not_null: bool
    default: str | None
    automatic: bool
    """Filled by SQLite: a generated column, or the INTEGER PRIMARY KEY."""
    generated: bool = False
    collation: str = "BINARY"

    @property
    def affinity(self) -> str:
        """What SQLite turns its values into, where it can."""
        return affinity(self.type)


@dataclass(frozen=True)
class Reference:
    """A foreign key; names in lower case. ``on_delete`` is the action in SQLite's words."""

    table: str
    columns: tuple[str, ...]
    on_delete: str
    to: tuple[str, ...] = field(default=(), compare=False)
    """The columns that it refers to, as they are written; empty names for the primary key."""

    @property
    def loses(self) -> bool:
        """Whether a deleted parent changes the rows that refer to it."""
        return self.on_delete in {"CASCADE", "SET NULL", "SET DEFAULT"}


@dataclass(frozen=True)
class Table:
    """A table, a virtual table or a view. Keys of ``columns`` are in lower case."""

    name: str
    kind: str
    strict: bool
    columns: Mapping[str, Column]
    unique: frozenset[UniqueKey] = frozenset()
    references: tuple[Reference, ...] = ()
    checks: frozenset[Check] = field(default=frozenset())
    replaces: bool = False
    """Whether a constraint says ON CONFLICT REPLACE, so that a plain INSERT deletes the rows that are in its way."""
    autoincrement: bool = False


Tables = Mapping[str, Table]
"""The tables of a database by name in lower case."""


def read_table(db: apsw.Connection, name: str) -> Table | None:
    """Read the table or view of this name; None where there is none."""
    objects = rows(db, _ROWS, name)
    own = next(((kind, written, sql) for kind, written, sql in objects if kind in {"table", "view"}), None)
    if own is None:
        return None
    kind, written, sql = own
    if kind == "view":
        return Table(written, "view", False, _columns(db, written))  # noqa: FBT003 - a view is never STRICT
    if sql.lstrip()[:14].upper() == "CREATE VIRTUAL":
        return Table(written, "virtual", False, _columns(db, written))  # noqa: FBT003 - nor is a virtual table
    indexes = {written: sql for kind, written, sql in objects if kind == "index"}
    unique, references = _unique(db, written, indexes), _references(db, written)
    return Table(
        written,
        "table",
        _is_strict(sql),
        _columns(db, written),
        unique,
        references,
        checks_in(sql),
        _replaces(sql),
        _has_autoincrement(sql),
    )


def affinity(declared: str) -> str:
    """The affinity of a declared type (the five rules of sqlite.org/datatype3.html, section 3.1)."""
    kind = declared.upper()
    return next((result for part, result in _AFFINITIES if part in kind), "NUMERIC" if kind else "BLOB")


_ROWS = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type <> 'trigger'"
_COLUMNS = "SELECT name, type, `notnull`, dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main')"
_INDEXES = "SELECT name, partial FROM pragma_index_list(?, 'main') WHERE `unique`"
_PRIMARY = "SELECT name FROM pragma_table_info(?, 'main') WHERE pk > 0"
_INDEX_COLUMNS = "SELECT name FROM pragma_index_info(?, 'main')"
_REFERENCES = "SELECT id, `table`, `from`, `to`, on_delete FROM pragma_foreign_key_list(?, 'main')"


def _columns(db: apsw.Connection, name: str) -> dict[str, Column]:
    try:
        listed = rows(db, _COLUMNS, name)
    except apsw.Error:  # a view of a table that is gone
        return {}
    keyed = sum(row[-2] > 0 for row in listed) == 1
    return {row[0].lower(): _column(row, _collation(db, name, row[0]), keyed=keyed) for row in listed}


def _column(row: Sequence[Any], collation: str, *, keyed: bool) -> Column:
    name, kind, not_null, default, key, hidden = row
    generated = hidden in {_VIRTUAL, _STORED}
    is_row_id = keyed and key != 0 and kind.upper() == "INTEGER"
    default = None if (default or "NULL").upper() == "NULL" else default
    return Column(name, kind, bool(not_null), default, generated or is_row_id, generated, collation)


def _collation(db: apsw.Connection, table: str, column: str) -> str:
    try:
        return db.column_metadata("main", table, column)[1].upper()
    except apsw.Error:  # a view
        return "BINARY"


def _unique(db: apsw.Connection, name: str, indexes: Mapping[str, str | None]) -> frozenset[UniqueKey]:
    keys = [_key(db, index, bool(partial), indexes.get(index)) for index, partial in rows(db, _INDEXES, name)]
    primary = [column for (column,) in rows(db, _PRIMARY, name)]
    return frozenset([*keys, key_of_columns(primary)] if primary else keys)


def _key(db: apsw.Connection, index: str, partial: bool, sql: str | None) -> UniqueKey:  # noqa: FBT001 - one of a row's values
    columns = [column for (column,) in rows(db, _INDEX_COLUMNS, index)]
    if sql is not None and (partial or None in columns):
        return key_of_index(sql, columns)
    return key_of_columns(columns)


def _references(db: apsw.Connection, name: str) -> tuple[Reference, ...]:
    references: dict[int, tuple[str, list[str], list[str], str]] = {}
    for number, table, column, to, on_delete in rows(db, _REFERENCES, name):
        _, columns, referred, _ = references.setdefault(number, (table.lower(), [], [], on_delete))
        columns.append(column.lower())
        referred.append(to or "")
    return tuple(Reference(table, tuple(columns), action, tuple(to)) for table, columns, to, action in references.values())


def _replaces(sql: str) -> bool:
    return "REPLACE" in sql.upper() and "on conflict replace" in " ".join(normal(code(sql)))


def _has_autoincrement(sql: str) -> bool:
    return "AUTOINCREMENT" in sql.upper() and any(token.keyword == "AUTOINCREMENT" for token in code(sql))


def _is_strict(sql: str) -> bool:
    tokens = code(sql)
    last = max((index for index, token in enumerate(tokens) if token.text == ")" and token.depth == 0), default=len(tokens))
    return any(token.keyword == "STRICT" for token in tokens[last:])
