"""Lint finds copies of rows that put values into other columns, and rebuilds after which ids are given again."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

import pytest

from tests.migrations.lint.linting import REBUILD, USERS, Lint, errors, rules, run

SWAPPED = "CREATE TABLE u (id INTEGER PRIMARY KEY, old TEXT, name TEXT);"
COUNTING = USERS.replace("PRIMARY KEY", "PRIMARY KEY AUTOINCREMENT")
KEEPS = (
    "DELETE FROM sqlite_sequence WHERE name = 'users_new';"
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'users_new', seq FROM sqlite_sequence WHERE name = 'users'; DROP TABLE users;"
)
REBUILD_COUNTING = REBUILD.replace("PRIMARY KEY", "PRIMARY KEY AUTOINCREMENT")


@pytest.mark.parametrize(
    "copy",
    [
        "INSERT INTO u SELECT * FROM users",
        "INSERT INTO u SELECT id, name, old FROM users",
        "INSERT INTO u (id, old, name) SELECT * FROM users",
        "INSERT OR IGNORE INTO main.u AS x SELECT DISTINCT u.* FROM users AS u",
        "INSERT INTO u SELECT users.id, users.name, users.old FROM users LEFT JOIN u ON u.id = users.id",
        "INSERT INTO u SELECT * FROM (SELECT id, name, old FROM users)",
    ],
)  # fmt: skip
def test_a_copy_by_position_into_another_order_is_an_error(judge: Lint, copy: str) -> None:
    found = [finding for finding in judge(f"{SWAPPED}{copy} WHERE true;") if finding.level == "error"]
    assert [(finding.rule, finding.statement) for finding in found] == [("mixes-columns", 2)]
    assert found[0].what == "it copies by position, and the columns are in another order: name into old, old into name"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(f"{USERS} INSERT INTO users VALUES (1, 'name', 'old'); {SWAPPED}")
        db.execute(copy)
        assert db.execute("SELECT name, old FROM u").fetchall() == [("old", "name")]


@pytest.mark.parametrize(
    "copy",
    [
        "INSERT INTO u (id, name, old) SELECT * FROM users WHERE id < 9;",
        "INSERT INTO u (id, name, old) SELECT id, old, name FROM users WHERE id < 9;",
        "INSERT INTO u SELECT id, old, name FROM users WHERE id < 9;",
        "INSERT INTO u SELECT id, upper(name), lower(old) FROM users WHERE id < 9;",
        "INSERT INTO u SELECT a.id, a.old, b.name FROM users a JOIN users b WHERE a.id < 9;",
        "INSERT INTO u SELECT id, name AS old, old AS name FROM users WHERE id < 9;",
        "CREATE TABLE pairs (id, user, name); CREATE TABLE more (id, user, role); INSERT INTO pairs SELECT id, id, role FROM more;",
        "CREATE TABLE g (id INTEGER PRIMARY KEY, twice AS (id * 2), name TEXT, old TEXT); INSERT INTO g SELECT * FROM users WHERE id < 9;",
        "INSERT INTO u VALUES (1, 'name', 'old');",
    ],
)
def test_names_on_both_sides_or_the_same_order_are_none(judge: Lint, copy: str) -> None:
    assert errors(judge(SWAPPED + copy)) == []


def test_a_rebuild_that_forgets_the_highest_id_is_told(judge: Lint) -> None:
    told = [("reuses-ids", 3)]
    assert [finding for finding in rules(judge(REBUILD_COUNTING, before=COUNTING)) if finding[0] == "reuses-ids"] == told
    assert [finding for finding in rules(judge(REBUILD, before=COUNTING)) if finding[0] == "reuses-ids"] == told
    kept = REBUILD_COUNTING.replace("DROP TABLE users;", KEEPS)
    assert "reuses-ids" not in dict(rules(judge(kept, before=COUNTING)))
    assert errors(judge(kept, before=COUNTING)) == []
    assert [next_id(text) for text in (REBUILD_COUNTING, kept)] == [1, 8]


def next_id(rebuild: str) -> int:
    """The id that SQLite gives after a rebuild of a table whose only row, 7, was deleted."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(f"{COUNTING} INSERT INTO users (id) VALUES (7); DELETE FROM users;")
        run(db, rebuild)
        db.execute("INSERT INTO users (name) VALUES ('a')")
        return int(db.execute("SELECT id FROM users").fetchone()[0])
