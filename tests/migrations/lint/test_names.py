"""A name in double quotes that is no column becomes a text: found in statements, CHECKs, indexes, defaults, views and triggers."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

import pytest

from tests.migrations.lint.linting import USERS, Lint, errors, rules

WRONG = {
    "a copy that takes a column from the old table": (
        'CREATE TABLE n ("id" INTEGER, "email" TEXT); INSERT INTO n ("id", "email") SELECT "id", "email" FROM users;',
        "email",
    ),
    "a misspelled column in a list": ('CREATE TABLE n AS SELECT id, "nmae" FROM users WHERE id < 5;', "nmae"),
    "the left side of a condition": ("DELETE FROM users WHERE \"nmae\" = 'a';", "nmae"),
    "a value that is set": ('UPDATE users SET name = "nick" WHERE id = 1;', "nick"),
    "the column of another table on the right": (
        'CREATE TABLE n (id INTEGER); UPDATE n SET id = 1 WHERE id IN (SELECT id FROM users WHERE old = "named");',
        None,
    ),
    "a join": ('CREATE TABLE n AS SELECT u.id FROM users AS u JOIN users AS o ON u.id = "owner" WHERE u.id < 5;', "owner"),
    "an argument": ('UPDATE users SET name = lower("nmae") WHERE id = 1;', "nmae"),
    "an order": ('CREATE TABLE n AS SELECT id FROM users ORDER BY "nmae" LIMIT 3;', "nmae"),
    "an index": ('CREATE INDEX i ON users ("nmae");', "nmae"),
    "a partial index": ('CREATE INDEX i ON users (name) WHERE "deleted" IS NULL;', "deleted"),
    "a CHECK": ('CREATE TABLE n (a TEXT, b TEXT CHECK ("c" IS NOT NULL));', "c"),
    "a CHECK of a new column": ('ALTER TABLE users ADD COLUMN b TEXT CHECK (length("c") > 1);', "c"),
    "a generated column": ('CREATE TABLE n (a TEXT, b TEXT AS (a || "c"));', "c"),
    "a default that is a column": ('CREATE TABLE n (a TEXT, b TEXT DEFAULT "a");', "a"),
    "a default without quotes": ("CREATE TABLE n (a TEXT, b TEXT DEFAULT a);", "a"),
    "a view": ('CREATE VIEW v AS SELECT id, "nmae" FROM users;', "nmae"),
    "a trigger": ('CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET name = "nick" WHERE id = new.id; END;', "nick"),
    "the condition of a trigger": ("CREATE TRIGGER t AFTER INSERT ON users WHEN \"name\" = 'a' BEGIN SELECT 1; END;", "name"),
}
FINE = {
    "columns in quotes": 'CREATE TABLE n ("id" INTEGER, "name" TEXT); INSERT INTO n ("id", "name") SELECT "id", "name" FROM users WHERE "id" < 5;',
    "texts in single quotes": "UPDATE users SET name = 'nick' WHERE old = 'x';",
    "a value where no column can be meant": 'INSERT INTO users (id, name) VALUES (1, "ada"), (2, "grace");',
    "a value of an upsert": 'INSERT INTO users (id, name) VALUES (1, "ada") ON CONFLICT (id) DO UPDATE SET name = excluded.name;',
    "a default that is a word": 'CREATE TABLE n (a TEXT DEFAULT "active", b TEXT DEFAULT draft, c DEFAULT CURRENT_TIMESTAMP, d DEFAULT (1));',
    "the words of dates": 'UPDATE users SET name = datetime("now") WHERE id = 1;',
    "a format": 'UPDATE users SET name = strftime("%s", old) WHERE id = 1;',
    "a path": 'UPDATE users SET name = json_extract(old, "$.name") WHERE id = 1;',
    "a value in a trigger": 'CREATE TRIGGER t AFTER INSERT ON users BEGIN INSERT INTO users (name) VALUES ("made"); END;',
    "an alias": 'CREATE VIEW v AS SELECT id AS "Number" FROM users ORDER BY "Number";',
    "quotes within texts": "UPDATE users SET name = 'say \"nmae\"' WHERE id = 1;",
}
LIKELY = {
    "a comparison": 'UPDATE users SET name = 1 WHERE old = "active";',
    "a list": 'CREATE TABLE n (a TEXT CHECK (a IN ("draft", "live")));',
    "an unequal one": 'DELETE FROM users WHERE name <> "ada" AND old IS NOT "x";',
    "a view": 'CREATE VIEW v AS SELECT id FROM users WHERE name = "ada";',
}


@pytest.mark.parametrize(("sql", "name"), WRONG.values(), ids=WRONG)
def test_a_name_that_is_no_column_is_an_error(judge: Lint, sql: str, name: str | None) -> None:
    found = [finding for finding in judge(sql) if finding.rule == "name-becomes-text"]
    if name is None:
        assert [finding.level for finding in found] == ["warning"]
    else:
        assert [(finding.level, f'"{name}" is not a column' in finding.what) for finding in found] == [("error", True)]


@pytest.mark.parametrize("sql", FINE.values(), ids=FINE)
def test_what_can_only_be_a_text_or_is_a_column_is_fine(judge: Lint, sql: str) -> None:
    assert "name-becomes-text" not in dict(rules(judge(sql)))


@pytest.mark.parametrize("sql", LIKELY.values(), ids=LIKELY)
def test_a_text_that_a_column_is_compared_with_is_a_warning(judge: Lint, sql: str) -> None:
    levels = {finding.level for finding in judge(sql) if finding.rule == "name-becomes-text"}
    assert levels == {"warning"}


def test_every_such_name_of_a_statement_is_told(judge: Lint) -> None:
    sql = 'CREATE TABLE n (a, b, c); INSERT INTO n SELECT "a", "né", "b" FROM users WHERE id < 5;'
    assert errors(judge(sql)) == [("name-becomes-text", 2)] * 3


def test_the_text_names_file_statement_and_name(judge: Lint) -> None:
    (finding,) = judge('SELECT 1; UPDATE users SET name = "nick" WHERE id = 1;')
    assert str(finding) == (
        "workers/x/migrations/0002_f.sql, statement 2: \"nick\" is not a column there, so SQLite takes it for the text 'nick': "
        "UPDATE users SET name = \"nick\" WHERE id = 1. Correct the name; if you mean the text, write 'nick' in single quotes. (name-becomes-text)"
    )


def test_a_view_whose_column_the_file_removes_is_told_too(judge: Lint) -> None:
    before = f'{USERS} CREATE VIEW v AS SELECT "id", "old" FROM users;'
    text = (
        "-- crane: contract\nCREATE TABLE n (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO n SELECT id, name FROM users WHERE id < 9;"
        "DROP TABLE users; ALTER TABLE n RENAME TO users;"
    )
    legacy = text.replace("ALTER", "PRAGMA legacy_alter_table = ON; ALTER")
    assert "name-becomes-text" in dict(errors(judge(legacy, before=before)))


def test_what_was_a_text_before_the_file_is_not_its_fault(judge: Lint) -> None:
    before = f'{USERS} CREATE VIEW v AS SELECT id, "nmae" FROM users; CREATE TABLE n (a TEXT, b TEXT CHECK ("c" IS NOT NULL));'
    assert judge("ALTER TABLE users ADD COLUMN more; ALTER TABLE n ADD COLUMN d;", before=before) == ()


@pytest.mark.parametrize("sql", [sql for sql, _ in WRONG.values()] + list(FINE.values()) + list(LIKELY.values()))
def test_sqlite_itself_takes_each_of_them(sql: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(USERS + sql)


def test_where_there_is_no_row_to_copy_it_is_a_warning(judge: Lint) -> None:
    """An empty database gets what plain SQLite takes, such as the rebuilds of a generator."""
    table = "CREATE TABLE made (id INTEGER PRIMARY KEY);"
    copy = 'CREATE TABLE n ("id" INTEGER, "email" TEXT); INSERT INTO n ("id", "email") SELECT "id", "email" FROM made;'
    assert [finding.level for finding in judge(table, copy) if finding.rule == "name-becomes-text"] == ["warning"]
    assert [finding.level for finding in judge(copy, before=table) if finding.rule == "name-becomes-text"] == ["error"]
    filled = "INSERT INTO made VALUES (1);"
    assert [finding.level for finding in judge(table, filled, copy) if finding.rule == "name-becomes-text"] == ["error"]
