"""Reads the tables of a SQLite database as lint compares them: columns, unique keys, references and checks.

SQLite reports them, so no SQL is parsed. Rows and triggers are not read.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from crane_infra.migrations.files.tokens import checks
from crane_infra.migrations.own_tables import is_users

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


@dataclass(frozen=True)
class Column:
    """A column as ``PRAGMA table_xinfo`` reports it."""

    name: str
    type: str
    not_null: bool
    default: str | None
    automatic: bool
    """Filled by SQLite: a generated column, or the INTEGER PRIMARY KEY."""


@dataclass(frozen=True)
class Reference:
    """A foreign key; names in lower case. ``on_delete`` is the action in SQLite's words."""

    table: str
    columns: tuple[str, ...]
    on_delete: str

    @property
    def loses(self) -> bool:
        """Whether a deleted parent changes the rows that refer to it."""
        return self.on_delete in {"CASCADE", "SET NULL", "SET DEFAULT"}


@dataclass(frozen=True)
class Table:
    """A table or view. Keys of ``columns`` are in lower case; a unique key is its columns, or its SQL where it is partial or computed."""

    name: str
    kind: str
    strict: bool
    columns: Mapping[str, Column]
    unique: frozenset[frozenset[str]] = frozenset()
    references: tuple[Reference, ...] = ()
    checks: frozenset[str] = field(default=frozenset())


Tables = Mapping[str, Table]
"""The tables of a database by name in lower case."""


Known = dict[tuple[str, str], Table]
"""Tables that were read before, by their name and the SQL of the table and its indexes."""


def read_tables(db: sqlite3.Connection, known: Known) -> Tables:
    """Read the user's tables and views. ``known`` is used as a cache and extended."""
    rows = db.execute("SELECT name, type, strict FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow'").fetchall()
    texts: dict[str, str] = dict(db.execute(_TEXTS).fetchall())
    tables: dict[str, Table] = {}
    for name, kind, strict in rows:
        if not is_users(name):
            continue
        key = (name, texts.get(name.lower(), ""))
        # The columns of a view depend on other objects too.
        table = known.get(key) if kind != "view" else None
        tables[name.lower()] = known[key] = table or _table(db, name, kind, bool(strict))
    return tables


def affinity(declared: str) -> str:
    """The affinity of a declared type (the five rules of sqlite.org/datatype3.html, section 3.1)."""
    kind = declared.upper()
    return next((result for part, result in _AFFINITIES if part in kind), "NUMERIC" if kind else "BLOB")


def _table(db: sqlite3.Connection, name: str, kind: str, strict: bool) -> Table:  # noqa: FBT001 - one of a row's values
    try:
        rows = db.execute(_COLUMNS, (name,)).fetchall()
    except sqlite3.Error:  # a view of a table that is gone
        rows = []
    keyed = sum(row[-2] > 0 for row in rows) == 1
    columns = {row[0].lower(): _column(*row[:4], automatic=_automatic(row, keyed=keyed)) for row in rows}
    if kind == "view":
        return Table(name, kind, strict, columns)
    return Table(name, kind, strict, columns, _unique(db, name), _references(db, name), _checks(db, name))


_TEXTS = """SELECT lower(tbl_name), group_concat(coalesce(sql, name), char(0)) FROM (SELECT * FROM sqlite_master ORDER BY type, name)
    WHERE type IN ('table', 'index') GROUP BY 1"""
_COLUMNS = 'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)'


def _column(name: str, kind: str, not_null: int, default: str | None, *, automatic: bool) -> Column:
    return Column(name, kind, bool(not_null), None if (default or "NULL").upper() == "NULL" else default, automatic)


def _automatic(row: tuple[str, str, int, str | None, int, int], *, keyed: bool) -> bool:
    return row[-1] in {_VIRTUAL, _STORED} or (keyed and row[-2] > 0 and row[1].upper() == "INTEGER")


def _unique(db: sqlite3.Connection, name: str) -> frozenset[frozenset[str]]:
    keys = {_key(db, index, partial) for index, partial in db.execute(_INDEXES, (name,)).fetchall()}
    primary = frozenset(column.lower() for (column,) in db.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0", (name,)))
    return frozenset(key for key in (*keys, primary) if key)


_INDEXES = 'SELECT name, partial FROM pragma_index_list(?) WHERE "unique"'


def _key(db: sqlite3.Connection, index: str, partial: int) -> frozenset[str]:
    columns = [column for (column,) in db.execute("SELECT name FROM pragma_index_info(?)", (index,))]
    if partial or None in columns:
        return frozenset(sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)))
    return frozenset(column.lower() for column in columns)


def _references(db: sqlite3.Connection, name: str) -> tuple[Reference, ...]:
    references: dict[int, tuple[str, list[str], str]] = {}
    for number, table, column, on_delete in db.execute('SELECT id, "table", "from", on_delete FROM pragma_foreign_key_list(?)', (name,)):
        references.setdefault(number, (table.lower(), [], on_delete))[1].append(column.lower())
    return tuple(Reference(table, tuple(columns), action) for table, columns, action in references.values())


def _checks(db: sqlite3.Connection, name: str) -> frozenset[str]:
    sql = db.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
    return checks(sql[0]) if sql and sql[0] else frozenset()
