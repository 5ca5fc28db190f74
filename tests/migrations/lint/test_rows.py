"""Lint finds what fails or is slow on a table full of rows, and what SQLite or D1 would refuse, and classifies each file."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

import pytest

from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.files.split import split_statements
from crane_infra.migrations.judgement import compare_schema
from crane_infra.migrations.judgement import judge as judge_database
from crane_infra.migrations.lint.judge import examine
from tests.migrations.builders import applied, file, ledger
from tests.migrations.lint.linting import REBUILD, USERS, Lint, cascading, errors, rows_of, rules, run


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ALTER TABLE users ADD COLUMN a TEXT NOT NULL;", "adds-not-null-without-default"),
        ("ALTER TABLE users ADD COLUMN a TEXT NOT NULL DEFAULT NULL;", "adds-not-null-without-default"),
        ("-- crane: loses-rows users\nCREATE TABLE u (id INTEGER PRIMARY KEY, name, old, a TEXT NOT NULL); DROP TABLE users; ALTER TABLE u RENAME TO users;", "adds-not-null-without-default"),
        ("ALTER TABLE users ADD COLUMN a TEXT DEFAULT CURRENT_TIMESTAMP;", "fails-on-rows"),
        ("ALTER TABLE users ADD COLUMN a INTEGER DEFAULT 1 REFERENCES users (id);", "fails-on-rows"),
        ("ALTER TABLE users ADD COLUMN a INTEGER DEFAULT 1 CHECK (a > 1);", "fails-on-rows"),
    ],
)  # fmt: skip
def test_a_column_that_rows_cannot_have_is_an_error(judge: Lint, text: str, rule: str) -> None:
    before = USERS.replace("name TEXT, old TEXT", "name, old")
    assert set(dict(errors(judge(text, before=before)))) == {rule}
    with closing(rows_of(before)) as db, pytest.raises(sqlite3.Error):
        run(db, text.replace("; DROP", "; INSERT INTO u (id, name, old) SELECT * FROM users; DROP"))


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE users ADD COLUMN a TEXT;",
        "ALTER TABLE users ADD COLUMN a TEXT NOT NULL DEFAULT '';",
        "ALTER TABLE users ADD COLUMN a INTEGER REFERENCES users (id);",
        "ALTER TABLE users ADD COLUMN a TEXT AS (name || old);",
        "CREATE TABLE t (a TEXT NOT NULL); ALTER TABLE t ADD COLUMN b TEXT DEFAULT CURRENT_TIMESTAMP;",
    ],
)
def test_a_column_that_rows_can_have_is_fine(judge: Lint, text: str) -> None:
    assert rules(judge(text)) == []
    with closing(rows_of(USERS)) as db:
        run(db, text)


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM users;",
        "UPDATE users SET name = 'WHERE';",
        "UPDATE users SET name = (SELECT old FROM users u WHERE u.id = users.id);",
        "WITH w AS (SELECT 1 WHERE true) DELETE FROM users -- WHERE id = 1\n;",
        "DELETE FROM users RETURNING id;",
        'UPDATE users SET "where" = 1;',
        "DELETE FROM people;",
    ],
)
def test_every_row_for_want_of_a_where_is_an_error(judge: Lint, text: str) -> None:
    before = USERS.replace("old TEXT", 'old TEXT, "where" TEXT') + (
        "CREATE VIEW people AS SELECT * FROM users; CREATE TRIGGER d INSTEAD OF DELETE ON people BEGIN DELETE FROM users WHERE id = old.id; END;"
    )
    assert rules(judge(text, before=before)) == [("update-or-delete-without-where", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE users SET name = 'a' WHERE true;",
        "DELETE FROM users WHERE 1 = 1 RETURNING id;",
        "CREATE TABLE t AS SELECT * FROM users;",
        "CREATE TABLE t (id, name, old); INSERT INTO t SELECT * FROM users;",
        "-- crane: overwrites-rows users\nINSERT INTO users SELECT id + 100, name, old FROM users WHERE true ON CONFLICT (id) DO UPDATE SET name = '' WHERE old = 1;",
    ],
)
def test_one_statement_for_a_whole_table_is_told(judge: Lint, text: str) -> None:
    found = judge(text)
    assert [(finding.rule, finding.level) for finding in found] == [("long-data-change", "warning")]


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE users SET name = 'a' WHERE id < 100;",
        "UPDATE users SET name = 'a' WHERE [name] IS NULL;",
        "DELETE FROM users WHERE id IN (SELECT 1);",
        "INSERT INTO users VALUES ((SELECT max(id) + 1 FROM users), 'a', 'b');",
        "CREATE TABLE t (id, name, old); INSERT INTO t SELECT * FROM users WHERE id < 5; UPDATE t SET name = 1; DELETE FROM t;",
        "CREATE TABLE t AS SELECT * FROM users LIMIT 100;",
        "INSERT INTO users SELECT 1, 'a', 'b';",
        "SELECT * FROM users;",
        "EXPLAIN DELETE FROM users;",
    ],
)
def test_what_is_bounded_or_new_is_fine(judge: Lint, text: str) -> None:
    assert rules(judge(text)) == []


def test_pragmas_that_d1_does_not_take_are_told(judge: Lint) -> None:
    text = "PRAGMA defer_foreign_keys = ON; PRAGMA legacy_alter_table(1); PRAGMA table_info(users); PRAGMA main.user_version = 3; PRAGMA journal_mode = WAL;"
    assert errors(judge(text)) == [("refused-by-d1", 4), ("refused-by-d1", 5)]


def test_switching_foreign_keys_off_is_told_and_the_file_is_judged_by_what_it_does_with_them_on(judge: Lint) -> None:
    """Older versions of drizzle-kit and prisma write it around every rebuild."""
    copy = "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, old TEXT); INSERT INTO u SELECT id, name, old FROM users;"
    text = f"PRAGMA foreign_keys=OFF; {copy} DROP TABLE users; ALTER TABLE u RENAME TO users; PRAGMA main.'foreign_keys' = 1;"
    found = judge(text, before=USERS)
    assert (errors(found), rules(found, level="warning")[:2]) == ([], [("ignored-pragma", 1), ("ignored-pragma", 6)])
    assert errors(judge(text, before=cascading())) == [("rebuilds-referenced-table", 4)]


def test_a_pragma_changes_nothing_but_the_meaning_of_a_rename_and_ends_with_its_file(judge: Lint) -> None:
    views = USERS + "CREATE VIEW names AS SELECT name FROM users; CREATE VIEW broken AS SELECT nowhere FROM users;"
    rename = "-- crane: contract\nALTER TABLE users RENAME TO people;"
    assert "not-understood" in dict(errors(judge(rename, before=views)))
    assert "not-understood" not in dict(errors(judge(rename.replace("ALTER", "PRAGMA legacy_alter_table=ON; ALTER"), before=views)))
    assert "not-understood" in dict(errors(judge("PRAGMA legacy_alter_table=ON;", rename, before=views)))


@pytest.mark.parametrize(
    "text", ["ALTER TABLE nowhere ADD COLUMN a;", "ALTER TABLE users MODIFY name TEXT NOT NULL;", "SELECT ?;", "CREATE TABLE t AS WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT * FROM r;"]
)  # fmt: skip
def test_what_sqlite_refuses_is_never_passed_silently(judge: Lint, text: str) -> None:
    assert errors(judge(f"SELECT 1; {text} SELECT 2;")) == [("not-understood", 2)]
    refused = file("1_a.sql", statements=split_statements(f"SELECT 1; {text}")[0])
    schema, done = SchemaFiles((refused, file("2_b.sql"))), ledger(applied(refused))
    judgement = compare_schema(judge_database("db", schema, done), schema, {})
    assert str(judgement.not_compared).startswith(f"{refused.path}: SQLite refuses it: ")


# What a file is


@pytest.mark.parametrize(
    ("statement", "kind", "tables"),
    [
        ("CREATE TABLE T (a)", "expand", ["T"]),
        ("ALTER TABLE users ADD COLUMN a", "expand", ["users"]),
        ("CREATE INDEX i ON users (name)", "expand", ["users"]),
        ("DROP TABLE users", "contract", ["notes", "users"]),
        ("ALTER TABLE users RENAME TO people", "contract", ["notes", "people", "users"]),
        ("UPDATE users SET name = 1 WHERE id = 1", "data", ["users"]),
        ("DELETE FROM users WHERE id = 1", "data", ["notes", "users"]),
        ("SELECT * FROM users", "none", []),
        ("PRAGMA defer_foreign_keys = ON", "none", []),
        ("DROP NONSENSE users", "contract", []),
    ],
)
def test_a_file_is_classified_by_what_it_does(statement: str, kind: str, tables: list[str]) -> None:
    before = file("1_a.sql", statements=split_statements(cascading())[0])
    after = file("2_b.sql", statements=(statement,))
    (examined,) = examine([before, after], [after])
    assert (examined.kind, list(examined.tables)) == (kind, tables)


def test_a_file_without_statements_is_nothing() -> None:
    nothing = file("1_a.sql", statements=())
    (examined,) = examine([nothing], [nothing])
    assert (examined.kind, examined.tables, examined.findings) == ("none", (), ())


def test_a_preview_gets_everything_about_a_file_at_once() -> None:
    files = [file("1_a.sql", statements=split_statements(cascading())[0]), file("2_b.sql", statements=split_statements(REBUILD)[0])]
    (one,) = examine(files, files[1:])
    assert (one.file, one.kind, one.tables, one.loses_rows) == (files[1], "expand", ("notes", "users", "users_new"), ("notes",))
    assert rules(one.findings, level="error") == [("rebuilds-referenced-table", 3)]
