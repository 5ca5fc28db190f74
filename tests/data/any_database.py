"""Databases that Hypothesis makes up: tables of any kind, and rows of any values."""

from dataclasses import dataclass
from typing import Any

import apsw
from hypothesis import strategies as st

from crane_infra.migrations.files.tokens import quoted

INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 0])
REALS = st.floats(allow_nan=False) | st.sampled_from([-0.0, 1.0, 9007199254740993.0, 0.1, 1e22, 5e-324])
TEXTS = st.text(max_size=8) | st.sampled_from(["", "\0", "a\0b", "'|\"", "\ufffd", "12", "1.0", "x" * 9000])
RAW = st.binary(max_size=6).map(lambda octets: ("raw", octets)) | st.sampled_from([("raw", b"\xed\xa0\x80"), ("raw", b"a\x00\xff")])
VALUES = st.none() | INTEGERS | REALS | TEXTS | st.binary(max_size=8) | RAW
TYPES = st.sampled_from(["", "INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC", "BIGINT", "VARCHAR(3)"])
COLLATIONS = st.sampled_from(["", " COLLATE NOCASE", " COLLATE RTRIM"])
NAMES = st.lists(st.text("abAé'\"|%_ .[-", min_size=1, max_size=5), unique_by=str.lower, min_size=6, max_size=6)
GENERATED = ["", ", made AS (typeof(c0)) STORED", ", made AS (c0 || 'x')", ", made TEXT GENERATED ALWAYS AS (coalesce(c1, c0)) VIRTUAL"]
KEYS = [
    "",
    ", PRIMARY KEY (c0)",
    ", PRIMARY KEY (c0, c1 DESC)",
    ", UNIQUE (c1)",
    ", PRIMARY KEY (c0) WITHOUT",
    ", PRIMARY KEY (c0 DESC, c1 COLLATE NOCASE DESC) WITHOUT",
    ", PRIMARY KEY (c1, c0 DESC, c2) WITHOUT",
]


@dataclass(frozen=True)
class AnyTable:
    """A table and the rows that somebody tries to put into it; those that it refuses stay out."""

    create: str
    insert: str
    rows: tuple[tuple[Any, ...], ...]


@st.composite
def databases(draw: st.DrawFn) -> list[AnyTable]:
    """One to three tables."""
    names = draw(NAMES)
    return [draw(_tables(quoted(name))) for name in names[: draw(st.integers(1, 3))]]


@st.composite
def _tables(draw: st.DrawFn, name: str) -> AnyTable:
    rows = tuple(draw(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=12)))
    kind = draw(st.sampled_from(["plain", "plain", "rowid", "fts"]))
    if kind == "fts":
        return AnyTable(f"CREATE VIRTUAL TABLE {name} USING fts5(c0, c1 UNINDEXED, c2)", f"INSERT INTO {name} (c0, c1, c2)", rows)
    columns = ", ".join(f"c{number} {draw(TYPES)}{draw(COLLATIONS)}" for number in range(3))
    if kind == "rowid":
        create = f"CREATE TABLE {name} (id INTEGER PRIMARY KEY{draw(st.sampled_from(['', ' AUTOINCREMENT', ' DESC']))}, {columns})"
        return AnyTable(create, f"INSERT INTO {name} (c0, c1, c2)", rows)
    key = draw(st.sampled_from(KEYS))
    generated, suffix = draw(st.sampled_from(GENERATED)), " ROWID" if key.endswith("WITHOUT") else ""
    create = f"CREATE TABLE {name} ({columns}{generated}{key.removesuffix('WITHOUT')}){' WITHOUT' if suffix else ''}{suffix}"
    return AnyTable(create, f"INSERT INTO {name} (c0, c1, c2)", rows)


def fill(db: apsw.Connection, tables: list[AnyTable]) -> None:
    """Create the tables, and insert the rows that they take."""
    for table in tables:
        db.execute(table.create)
        for row in table.rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, tuple) else "?" for value in row)
            values = [value[1] if isinstance(value, tuple) else value for value in row]
            try:
                db.execute(f"{table.insert} VALUES ({marks})", values)
            except (apsw.ConstraintError, apsw.MismatchError):
                continue
