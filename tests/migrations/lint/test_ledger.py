"""A file that writes to the tables in which the runs record the migrations is refused, however it reaches them."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import pytest

from crane_infra.migrations.sqlite.schema import expected_schema
from tests.migrations.builders import file
from tests.migrations.lint.linting import USERS, Lint, errors

WRITES = [
    "INSERT INTO d1_migrations (name) VALUES ('0009_later.sql');",
    "INSERT OR REPLACE INTO D1_MIGRATIONS (id, name) VALUES (1, 'a');",
    "UPDATE d1_migrations SET name = 'a' WHERE id = 1;",
    "DELETE FROM d1_migrations WHERE true;",
    "DROP TABLE d1_migrations;",
    "DROP TABLE IF EXISTS crane_rows;",
    "ALTER TABLE d1_migrations ADD COLUMN note;",
    "ALTER TABLE crane_migrations RENAME TO mine;",
    "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);",
    "CREATE INDEX by_name ON d1_migrations (name);",
    "CREATE TRIGGER after_file AFTER INSERT ON d1_migrations BEGIN DELETE FROM users; END;",
    "CREATE TRIGGER after_user AFTER INSERT ON users BEGIN DELETE FROM crane_migrations; END;",
    "DELETE FROM crane_accepted WHERE true;",
    "WITH old AS (SELECT id FROM d1_migrations) DELETE FROM d1_migrations WHERE id IN old;",
]


@pytest.mark.parametrize("sql", WRITES)
def test_a_statement_that_writes_to_the_ledger_is_an_error(judge: Lint, sql: str) -> None:
    assert ("writes-ledger", 2) in errors(judge(f"SELECT 1; {sql} SELECT 2;"))


def test_a_statement_that_sets_off_such_a_trigger_is_one_too(judge: Lint) -> None:
    before = f"{USERS} CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE d1_migrations SET name = ''; END;"
    assert errors(judge("SELECT 1; INSERT INTO users VALUES (1, 'a', 'b');", before=before)) == [("writes-ledger", 2)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM d1_migrations;",
        "CREATE VIEW applied AS SELECT name FROM d1_migrations;",
        "CREATE TABLE crane_notes (d1_migrations TEXT); UPDATE crane_notes SET d1_migrations = 'DELETE FROM d1_migrations' WHERE true;",
        "-- INSERT INTO d1_migrations\nSELECT 1;",
    ],
)
def test_reading_it_and_naming_it_is_fine(judge: Lint, sql: str) -> None:
    assert judge(sql) == ()


def test_the_text_says_who_writes_there_and_what_to_do(judge: Lint) -> None:
    (finding,) = judge(WRITES[0])
    assert str(finding) == (
        "workers/x/migrations/0002_f.sql, statement 1: it changes d1_migrations, where the runs record which migrations were applied. "
        "Remove the statement: a run records each file itself. (writes-ledger)"
    )


def test_the_schema_of_a_file_that_did_so_before_can_still_be_compared() -> None:
    made = file("1_a.sql", statements=("CREATE TABLE t (a)", WRITES[0].rstrip(";")))
    assert expected_schema([made]) == {"table t": "CREATE TABLE t (a)"}
