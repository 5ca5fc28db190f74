"""Lint finds a CREATE … IF NOT EXISTS that does nothing although what exists is different."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import pytest

from tests.migrations.lint.linting import USERS, Lint, errors

BEFORE = (
    USERS + "CREATE INDEX by_name ON users (name); CREATE VIEW names AS SELECT name FROM users;"
    "CREATE TRIGGER log AFTER INSERT ON users BEGIN UPDATE users SET old = 'new' WHERE id = new.id; END;"
)


@pytest.mark.parametrize(
    ("text", "difference"),
    [
        ("TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)", "users has no column email there"),
        ("TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name INTEGER)", "the column name of users is TEXT there"),
        ("TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", "the column name of users is TEXT there"),
        ("TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE)", "name of users is not unique there"),
        ("TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> ''))", "users has no CHECK (name <> '') there"),
        ("TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, old TEXT REFERENCES users)", "old of users does not refer to users there in that way"),
        ("TABLE IF NOT EXISTS names (name TEXT)", "names is a view there"),
        ("UNIQUE INDEX IF NOT EXISTS by_name ON users (name)", "the index by_name that is there is another one: CREATE INDEX by_name ON users (name)"),
        ("INDEX IF NOT EXISTS by_name ON users (old)", "the index by_name that is there is another one: CREATE INDEX by_name ON users (name)"),
        ("VIEW IF NOT EXISTS names AS SELECT old FROM users", "the view names that is there is another one: CREATE VIEW names AS SELECT name FROM users"),
    ],
)  # fmt: skip
def test_what_exists_and_is_different_is_an_error_that_names_the_difference(judge: Lint, text: str, difference: str) -> None:
    (finding,) = judge(f"CREATE {text};", before=BEFORE)
    assert (finding.rule, finding.level) == ("exists-otherwise", "error")
    assert finding.what == f"it creates nothing, because that name exists, and what exists is different: {difference}"


def test_another_trigger_of_the_name_is_one_too(judge: Lint) -> None:
    text = "CREATE TRIGGER IF NOT EXISTS log AFTER INSERT ON users BEGIN UPDATE users SET old = 'x' WHERE id = new.id; END;"
    assert errors(judge(text, before=BEFORE)) == [("exists-otherwise", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT);",
        'create table if not exists "Users" ("id" integer primary key, [name] text, old text);',
        "CREATE TABLE IF NOT EXISTS others (id INTEGER PRIMARY KEY);",
        'CREATE INDEX IF NOT EXISTS "by_name" ON "users" ( "name" );',
        "CREATE VIEW IF NOT EXISTS names AS SELECT name\nFROM users;",
        "CREATE TRIGGER IF NOT EXISTS log AFTER INSERT ON users BEGIN UPDATE users SET old = 'new' WHERE id = new.id; END;",
        "ALTER TABLE users ADD COLUMN more TEXT; CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);",
    ],
)
def test_what_is_there_as_the_statement_says_is_none(judge: Lint, text: str) -> None:
    assert errors(judge(text, before=BEFORE)) == []


def test_an_empty_database_takes_it_with_a_warning(judge: Lint) -> None:
    found = judge(USERS, "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT);", before="SELECT 1;")
    assert [(finding.rule, finding.level) for finding in found] == [("exists-otherwise", "warning")]
