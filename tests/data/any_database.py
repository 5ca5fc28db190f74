"""Databases that Hypothesis makes up: tables of any kind under any names, what hangs on them, and rows of any values."""

# ruff: noqa: S608 - names are quoted

import os
from dataclasses import dataclass, replace
from typing import Any

import apsw
from hypothesis import strategies as st

from crane_infra.migrations.files.split import sql_literal
from crane_infra.migrations.files.tokens import quoted

EXAMPLES = 20 * int(os.environ.get("CRANE_SOAK_ROUNDS", "2"))
"""How many databases a test makes up."""
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 0])
REALS = st.floats() | st.sampled_from([-0.0, 1.0, 9007199254740993.0, 0.1, 1e22, 5e-324, float("inf"), float("-inf")])
TEXTS = st.text(max_size=8) | st.sampled_from(["", "\0", "a\0b", "'|\"", "\ufffd", "12", "1.0", "a\r\nb;--"])
RAW = st.binary(max_size=6).map(lambda octets: ("raw", octets)) | st.sampled_from([("raw", b"\xed\xa0\x80"), ("raw", b"a\x00\xff")])
LONG = st.sampled_from([("long", "x", 9000), ("long", "é\0", 6000), ("long", b"\xff\0", 6000), ("long", b"", 0)])
VALUES = st.none() | INTEGERS | REALS | TEXTS | st.binary(max_size=8) | RAW
TYPES = st.sampled_from(["", "INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC", "BIGINT", "VARCHAR(3)"])
STRICT_TYPES = st.sampled_from(["INTEGER", "TEXT", "REAL", "BLOB", "ANY"])
COLLATIONS = st.sampled_from(["", " COLLATE NOCASE", " COLLATE RTRIM"])
LETTERS = st.text("abAé'\"|%_ .[-", min_size=1, max_size=5)
ODD_TABLES = st.sampled_from(["a USING b(", "x content=''", "order", "a;b", "-- a", "/* a", "a\nb", "line", "🦩"])
ODD_COLUMNS = st.sampled_from(
    ["line", "part", "more", "rowid", "oid", "id2", "order", "n", "content=''", "a;--b", "a\nb", "x1", "value", "é"]
)
NAMES = st.lists(LETTERS | ODD_TABLES, unique_by=str.lower, min_size=6, max_size=6)
COLUMNS = st.lists(LETTERS | ODD_COLUMNS, unique_by=str.lower, min_size=3, max_size=3).filter(
    lambda names: not {"id", "up", "made"} & {*names}
)
GENERATED = [
    "",
    ", made AS (typeof({c0})) STORED",
    ", made AS ({c0} || 'x')",
    ", made TEXT GENERATED ALWAYS AS (coalesce({c1}, {c0})) VIRTUAL",
]
CHECKS = ["", ", CHECK ({c0} IS NOT 1)", ", CHECK (typeof({c1}) <> 'blob')"]
KEYS = [
    "",
    ", PRIMARY KEY ({c0})",
    ", PRIMARY KEY ({c0}, {c1} DESC)",
    ", UNIQUE ({c1})",
    ", PRIMARY KEY ({c0}) WITHOUT",
    ", PRIMARY KEY ({c0} DESC, {c1} COLLATE NOCASE DESC) WITHOUT",
    ", PRIMARY KEY ({c1}, {c0} DESC, {c2}) WITHOUT",
]
BESIDE = [
    "",
    "CREATE INDEX {x} ON {t} ({c1} COLLATE NOCASE DESC, {c0}) WHERE {c2} IS NOT NULL",
    "CREATE INDEX {x} ON {t} (lower({c2}), {c0})",
    "CREATE VIEW {x} AS SELECT {c0} AS 'odd; name', count(*) FROM {t} GROUP BY 1",
    "CREATE TRIGGER {x} AFTER INSERT ON {t} WHEN new.{c0} IS NOT NULL BEGIN INSERT INTO noted VALUES ('c0; ' || typeof(new.{c0})); END",
    "CREATE TRIGGER {x} BEFORE UPDATE OF {c0} ON {t} BEGIN DELETE FROM noted; SELECT raise(IGNORE); END",
]


@dataclass(frozen=True)
class AnyTable:
    """A table and the rows that somebody tries to put into it; those that it refuses stay out. ``beside`` is created before the rows, ``after`` runs at the end."""

    name: str
    create: str
    insert: str
    rows: tuple[tuple[Any, ...], ...]
    beside: str = ""
    after: tuple[str, ...] = ()


@st.composite
def databases(draw: st.DrawFn) -> list[AnyTable]:
    """One to three tables, an index, a view or a trigger beside each, and the table that triggers write to. Foreign keys may go round in circles."""
    names = draw(NAMES)
    tables = [draw(_tables(quoted(name), quoted(f"{name} beside"))) for name in names[: draw(st.integers(1, 3))]]
    return [AnyTable("noted", "CREATE TABLE noted (what)", "INSERT INTO noted", ()), *_linked(tables, draw(st.integers(0, 2)))]


@st.composite
def _tables(draw: st.DrawFn, name: str, beside: str) -> AnyTable:
    rows = tuple(draw(st.lists(st.tuples(VALUES, VALUES, VALUES | LONG), max_size=12)))
    kind = draw(st.sampled_from(["plain", "plain", "strict", "linked", "linked", "fts", "external"]))
    if kind == "fts":
        return AnyTable(name, f"CREATE VIRTUAL TABLE {name} USING fts5(c0, c1 UNINDEXED, c2)", f"INSERT INTO {name} (c0, c1, c2)", rows)
    if kind == "external":
        texts = sql_literal(name[1:-1].replace('""', '"'))
        index = f"CREATE VIRTUAL TABLE {beside} USING fts5(c0, c2, content={texts}, content_rowid='id')"
        rebuild = f"INSERT INTO {beside} ({beside}) VALUES ('rebuild')"
        return AnyTable(
            name, f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, c0, c1, c2)", f"INSERT INTO {name} (c0, c1, c2)", rows, index, (rebuild,)
        )
    columns = [quoted(column) for column in draw(COLUMNS)]
    defined = ", ".join(f"{column} {draw(STRICT_TYPES if kind == 'strict' else TYPES)}{draw(COLLATIONS)}" for column in columns)
    insert = f"INSERT INTO {name} ({', '.join(columns)})"
    more = _named(draw(st.sampled_from(BESIDE)), columns, name, beside)
    if kind == "linked":
        key = draw(st.sampled_from(["", " AUTOINCREMENT", " DESC"]))
        create = f"CREATE TABLE {name} (id INTEGER PRIMARY KEY{key}, {defined}, up INTEGER REFERENCES [?] (id) ON DELETE CASCADE)"
        return AnyTable(name, create, insert, rows, more)
    rest, key = "" if kind == "strict" else draw(st.sampled_from(GENERATED)), draw(st.sampled_from(KEYS))
    options = [*(["WITHOUT ROWID"] if key.endswith("WITHOUT") else []), *(["STRICT"] if kind == "strict" else [])]
    rest = _named(f"{rest}{key.removesuffix(' WITHOUT')}{draw(st.sampled_from(CHECKS))}", columns, name, beside)
    return AnyTable(name, f"CREATE TABLE {name} ({defined}{rest}) {', '.join(options)}", insert, rows, more)


def _named(template: str, columns: list[str], table: str, beside: str) -> str:
    """The SQL with the names that were drawn."""
    return template.format(c0=columns[0], c1=columns[1], c2=columns[2], t=table, x=beside)


def _linked(tables: list[AnyTable], step: int) -> list[AnyTable]:
    """Let each table with a foreign key refer to another one of them, or to itself."""
    linked = [table for table in tables if "[?]" in table.create]
    for number, table in enumerate(linked):
        parent = linked[(number + step) % len(linked)].name
        third = f"SELECT id FROM {parent} WHERE id IS NOT NULL ORDER BY id LIMIT 1 OFFSET 2"
        create, link = table.create.replace("[?]", parent), f"UPDATE {table.name} SET up = ({third})"
        tables[tables.index(table)] = replace(table, create=create, after=(link,))
    return tables


def fill(db: apsw.Connection, tables: list[AnyTable]) -> None:
    """Create the tables, insert the rows that they take, and add what comes last."""
    for table in tables:
        db.execute(table.create)
    for table in tables:
        db.execute(table.beside)
    for table in tables:
        for row in table.rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, tuple) and value[0] == "raw" else "?" for value in row)
            values = [value[1] * (value[2] if value[0] == "long" else 1) if isinstance(value, tuple) else value for value in row]
            try:
                db.execute(f"{table.insert} VALUES ({marks})", values)
            except (apsw.ConstraintError, apsw.MismatchError):
                continue
    for table in tables:
        for statement in table.after:
            db.execute(statement)
