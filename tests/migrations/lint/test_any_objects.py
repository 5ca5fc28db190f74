"""Whatever views, triggers and foreign keys there are: lint says that a file leaves some broken if, and only if, plain SQLite then fails."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.lint.judge import examine
from tests.migrations.builders import file

TABLES = "abc"
NAME, COLUMN = st.sampled_from(TABLES), st.sampled_from(["id", "x", "y"])
VERB = st.sampled_from(["INSERT", "UPDATE", "DELETE"])
TABLE = st.builds(
    "CREATE TABLE {} (id INTEGER PRIMARY KEY, x INTEGER UNIQUE, y INTEGER REFERENCES {} ({}))".format,
    NAME,
    NAME,
    st.sampled_from(["id", "x"]),
)
BARE = st.builds("CREATE TABLE {} (id INTEGER PRIMARY KEY, {} INTEGER)".format, NAME, st.sampled_from(["x", "y", "z"]))
VIEW = st.builds("CREATE VIEW v{} AS SELECT {} FROM {}".format, NAME, COLUMN, st.sampled_from([*TABLES, "va", "vb"]))
TRIGGER = st.one_of(
    st.builds("CREATE TRIGGER t{} AFTER {} ON {} BEGIN UPDATE {} SET {} = 1; END".format, NAME, VERB, NAME, NAME, COLUMN),
    st.builds("CREATE TRIGGER t{} AFTER {} ON {} BEGIN DELETE FROM {} WHERE {} = 1; END".format, NAME, VERB, NAME, NAME, COLUMN),
    st.builds("CREATE TRIGGER t{} INSTEAD OF INSERT ON v{} BEGIN INSERT INTO {} ({}) VALUES (1); END".format, NAME, NAME, NAME, COLUMN),
)
CHANGE = st.one_of(
    st.builds("DROP {} {}".format, st.just("TABLE"), NAME),
    st.builds("DROP VIEW v{}".format, NAME),
    st.builds("DROP TRIGGER t{}".format, NAME),
    st.builds("ALTER TABLE {} RENAME TO {}".format, NAME, st.sampled_from([*TABLES, "d"])),
    st.builds("ALTER TABLE {} RENAME COLUMN {} TO z".format, NAME, COLUMN),
    st.builds("ALTER TABLE {} DROP COLUMN {}".format, NAME, COLUMN),
    st.just("PRAGMA legacy_alter_table = ON"),
    TABLE,
    BARE,
    VIEW,
    TRIGGER,
)
OF_REFERENCES = {"leaves-broken", "drops-referenced-table", "rebuilds-referenced-table"}


def runs(db: sqlite3.Connection, statements: list[str]) -> list[str]:
    """Run what SQLite takes, with foreign keys as in D1, and return that."""
    taken = []
    db.execute("PRAGMA foreign_keys = ON")
    for statement in statements:
        with suppress(sqlite3.OperationalError):
            db.execute(statement)
            taken.append(statement)
    db.execute("PRAGMA legacy_alter_table = OFF")
    return taken


def failing(db: sqlite3.Connection) -> set[str]:
    """What fails in a database: reading a view, or a kind of write to a table or view that takes it."""
    db.execute("PRAGMA foreign_keys = ON")
    uses = [use for kind, name in db.execute("SELECT type, name FROM sqlite_master") for use in _uses(db, kind, name)]
    failed = {use for use in uses if _fails(db, use)}
    db.execute("PRAGMA foreign_keys = OFF")
    return failed


def _uses(db: sqlite3.Connection, kind: str, name: str) -> Iterator[str]:
    if kind == "view":
        yield f"SELECT * FROM {name}"
        if db.execute("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (name,)).fetchone():
            yield f"INSERT INTO {name} DEFAULT VALUES"
    elif kind == "table":
        columns = [column for (column,) in db.execute("SELECT name FROM pragma_table_info(?)", (name,))]
        yield f"INSERT INTO {name} DEFAULT VALUES"
        yield f"UPDATE {name} SET {', '.join(f'{column} = {column}' for column in columns)}"
        yield f"DELETE FROM {name}"


def _fails(db: sqlite3.Connection, use: str) -> bool:
    try:
        db.execute(f"EXPLAIN {use}").close()
    except sqlite3.OperationalError:
        return True
    return False


def referred(db: sqlite3.Connection) -> set[str]:
    """The tables to which others refer."""
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {target for table in tables for (target,) in db.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (table,))}


def moved(references: set[str], taken: list[str], db: sqlite3.Connection) -> bool:
    """Whether a table that others referred to was renamed, and there is another of its name: the rename took the references along.

    Nothing fails by that, and lint stops it all the same.
    """
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    renamed = {statement.split()[2] for statement in taken if " RENAME TO " in statement}
    return bool(references & renamed & there)


@settings(max_examples=200, deadline=None)
@example(
    [f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, x INTEGER UNIQUE, y INTEGER REFERENCES a (id))" for name in "ab"],
    ["ALTER TABLE a RENAME TO c", "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER UNIQUE, y INTEGER REFERENCES a (id))"],
)
@example(
    [
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER UNIQUE, y INTEGER REFERENCES c (id))",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, x INTEGER UNIQUE, y INTEGER REFERENCES a (id))",
    ],
    ["ALTER TABLE a RENAME TO b", "ALTER TABLE c RENAME TO a"],
)
@example(
    ["CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER UNIQUE, y INTEGER REFERENCES a (id))"],
    ["ALTER TABLE a RENAME TO b", "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER)"],
)
@given(st.lists(st.one_of(TABLE, VIEW, TRIGGER), min_size=3, max_size=9), st.lists(CHANGE, min_size=1, max_size=5))
def test_lint_says_what_plain_sqlite_then_shows(before: list[str], changes: list[str]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        known = runs(db, before)
        failed_before = failing(db)
        assume(not failed_before)
        references = referred(db)
        taken = runs(db, changes)
        failed, is_moved = failing(db), moved(references, taken, db)
    made: list[MigrationFile] = [file("1_a.sql", statements=tuple(known)), file("2_b.sql", statements=tuple(taken))]
    (examined,) = examine(made, made[1:])
    found = {finding.rule for finding in examined.errors}
    assume("not-understood" not in found)  # an older SQLite takes it, and what follows is not comparable
    broken = found & OF_REFERENCES
    if not failed and is_moved:
        broken -= {"rebuilds-referenced-table"}
    assert bool(failed) == bool(broken), (taken, failed, [str(finding) for finding in examined.errors])
