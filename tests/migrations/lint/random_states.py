"""What a database of the random tests holds, and a file played on it statement by statement; SQLite alone tells."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import apsw

from tests.migrations.lint.random_schemas import COLUMNS, TABLES

Rows = dict[int, dict[str, object]]
MORE_ROWS = (
    "INSERT OR IGNORE INTO authors (id, name, age) VALUES (4, 'dora', 40), (5, 'emil', 10)",
    "INSERT OR IGNORE INTO books (id, author, title) VALUES (4, 4, 'v'), (5, 5, 'w')",
    "INSERT OR IGNORE INTO marks (id, book, note) VALUES (4, 4, 'i'), (5, 5, 'j')",
)
"""Rows that no random change names by their ids, with values that some write."""
ODD_ROWS = (
    *(
        f"INSERT OR IGNORE INTO authors (name, age) VALUES ({values})"
        for values in ("'ann', 10", "'ANN', 20", "NULL, NULL", "'bob', NULL", "'cy', -1", "'', 50", "'x', 'y'", "'di', 77")
    ),
    *(f"INSERT OR IGNORE INTO books (author, title) VALUES ({values})" for values in ("1, 'x'", "NULL, 'y'", "NULL, NULL")),
    *(f"INSERT OR IGNORE INTO marks (book, note) VALUES ({values})" for values in ("1, 'k'", "NULL, 'l'", "NULL, NULL")),
)
"""Rows with equal values, without some, and with values that a new constraint may refuse."""


@dataclass
class State:
    """What a database holds: the rows of each table, its triggers, indexes, unique keys, and the next id of each table that counts them."""

    rows: dict[str, Rows]
    triggers: dict[str, set[str]]
    keys: dict[str, set[str]]
    sequences: dict[str, int]
    columns: dict[str, list[str]]
    schema: dict[str, str] = field(default_factory=dict)


@dataclass
class Replay:
    """A file played on some rows: the state before it and after each statement, and what the version in traffic could do before and after.

    ``failed`` is the statement that SQLite refuses with these rows, empty where it takes the file. ``broken`` are the views that cannot be read at its end and the tables to which no row
    can be written, ``references`` the tables that foreign keys of a table refer to.
    """

    steps: list[State]
    uses: tuple[set[str], set[str]]
    failed: str
    broken: set[str]
    references: dict[str, set[str]]

    @property
    def before(self) -> State:
        """The state before the file."""
        return self.steps[0]

    @property
    def after(self) -> State:
        """The state after the last statement that ran."""
        return self.steps[-1]

    def around(self, number: int | None) -> tuple[State, State] | None:
        """The states before and after a statement; None where it did not run."""
        return (self.steps[number - 1], self.steps[number]) if number and number < len(self.steps) else None


def replay(made: Sequence[str], more: Sequence[str], statements: Sequence[str]) -> Replay:
    """Play a file with foreign keys on, after what made the database and with more rows in it."""
    with closing(apsw.Connection(":memory:")) as db:
        for statement in (*made, *more):
            db.execute(statement)
        db.execute("PRAGMA foreign_keys = ON")
        uses = uses_of(db)
        db.execute("BEGIN")
        steps, failed = [state_of(db)], ""
        for statement in statements:
            try:
                db.execute(statement).fetchall()
            except apsw.Error:
                failed = statement
                break
            steps.append(state_of(db))
        if not failed:
            try:
                db.execute("COMMIT; BEGIN")
            except apsw.Error:
                failed = "COMMIT"
        return Replay(steps, (uses, uses_of(db)), failed, set(_broken(db)), _references(db))


def state_of(db: apsw.Connection) -> State:
    """Read what a database holds."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
    triggers: dict[str, set[str]] = {}
    for name, table in db.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"):
        triggers.setdefault(table, set()).add(name)
    columns = {name: [column for (column,) in db.execute("SELECT name FROM pragma_table_xinfo(?)", (name,))] for name in names}
    is_counting = db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'sqlite_sequence'").get
    sequences: dict[str, int] = dict(_read(db, "SELECT name, seq FROM sqlite_sequence")) if is_counting else {}
    counting = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")}
    return State(
        {name: _rows(db, name, columns[name]) for name in names},
        triggers,
        {name: _keys(db, name) for name in names},
        {name: seq for name, seq in sequences.items() if name in counting},
        columns,
        dict(_read(db, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")),
    )


def _read(db: apsw.Connection, query: str) -> list[Any]:
    return db.execute(query).fetchall()


def _rows(db: apsw.Connection, table: str, columns: Sequence[str]) -> Rows:
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in db.execute(f"SELECT rowid, * FROM {table}")}


def _keys(db: apsw.Connection, table: str) -> set[str]:
    """The unique keys of a table by their columns; of a partial one with the condition."""
    keys = set()
    for name, partial in db.execute('SELECT name, partial FROM pragma_index_list(?) WHERE "unique"', (table,)).fetchall():
        columns = ", ".join(str(column) for (column,) in db.execute("SELECT name FROM pragma_index_info(?)", (name,)))
        keys.add(f"{columns} {name if partial else ''}".strip())
    return keys


def uses_of(db: apsw.Connection) -> set[str]:
    """What a version in traffic does and the database accepts."""
    return {statement for table in TABLES for statement in _uses(table) if _is_accepted(db, statement)}


def _uses(table: str) -> Iterator[str]:
    first, second = COLUMNS[table]
    yield f"SELECT id, {first}, {second} FROM {table}"
    for values in product(["NULL", "1", "'ann'", "'q'"], ["NULL", "10", "50", "-1", "'x'"]):
        yield f"INSERT INTO {table} ({first}, {second}) VALUES ({', '.join(values)})"
    for value, column in product(["'q'", "50"], [first, second]):  # twice the same
        yield f"INSERT INTO {table} ({column}) VALUES ({value}), ({value})"
    for column in ("id", first, second):
        yield f"INSERT INTO {table} ({column}) VALUES (NULL) ON CONFLICT ({column}) DO NOTHING"
    yield f"INSERT INTO {table} DEFAULT VALUES"
    yield f"DELETE FROM {table} WHERE id = 99"
    yield "SELECT * FROM names"


def _is_accepted(db: apsw.Connection, statement: str) -> bool:
    db.execute("SAVEPOINT of_a_use")
    try:
        db.execute(statement).fetchall()
    except apsw.Error:
        return False
    finally:
        db.execute("ROLLBACK TO of_a_use")
        db.execute("RELEASE of_a_use")
    return True


def _broken(db: apsw.Connection) -> Iterator[str]:
    for kind, name in _read(
        db,
        "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'",
    ):
        uses = [f"SELECT * FROM {name}"]
        uses += [f"EXPLAIN INSERT INTO {name} DEFAULT VALUES", f"EXPLAIN DELETE FROM {name}", f"EXPLAIN UPDATE {name} SET id = id"] * (
            kind == "table"
        )
        if not all(_is_accepted(db, use) for use in uses):
            yield name


def _references(db: apsw.Connection) -> dict[str, set[str]]:
    names: list[str] = [name for (name,) in _read(db, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: {str(other) for (other,) in db.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,))} for name in names}


def named(text: str) -> list[str]:
    """Read the names of tables and views in a text, in order."""
    return re.findall(r"\b(?:authors|books|marks|names|tags|kept|people|things|made|copied)\b", text)


def changed_rows(before: State, after: State, table: str) -> set[int]:
    """The rows of a table that are gone or no longer have the values that they had, in columns which are still there."""
    now, columns = after.rows.get(table, {}), set(after.columns.get(table, []))
    return {
        key
        for key, row in before.rows.get(table, {}).items()
        if key not in now or any(now[key][column] != value for column, value in row.items() if column in columns)
    }
