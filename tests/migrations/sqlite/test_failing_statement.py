"""A run that D1 refuses names the statement: the messages are those of the local cloud's workerd, on a database with rows."""

# ruff: noqa: S608 - SQL that the tests themselves make

import pytest

from crane_infra.migrations.sqlite.failing_statement import describe, find_statements
from tests.cloud import Api
from tests.migrations.builders import file

BEFORE = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, CHECK (email <> 'x'))",
    "CREATE TABLE codes (code TEXT UNIQUE NOT NULL)",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id))",
)
ROWS = "INSERT INTO users VALUES (1, 'a'), (2, 'a'); INSERT INTO codes VALUES ('a'); INSERT INTO notes VALUES (1, 1)"  # only the database has them
FIRST, LAST = "INSERT INTO notes (user) VALUES (2)", "CREATE INDEX i ON notes (user)"
KNOWN = {
    "too many terms": "CREATE VIEW v AS " + " UNION ".join(f"SELECT {number}" for number in range(6)),
    "a TEMP table": "CREATE TEMP TABLE t (a)",
    "VACUUM": "VACUUM",
    "a function": "UPDATE users SET email = sqlite_version() WHERE id = 1",
    "a PRAGMA": "PRAGMA user_version = 3",
    "a pattern": f"DELETE FROM users WHERE email LIKE '{'a' * 51}'",
    "too many values": "INSERT INTO notes (id, user) VALUES " + ", ".join(["(1, 1)"] * 8_000),
    "a parameter": "UPDATE users SET email = ? WHERE id = 1",
    "a table that is missing": "DELETE FROM nowhere WHERE id = 1",
    "an overflow": "SELECT abs(-9223372036854775808)",
    "a unique index over rows": "CREATE UNIQUE INDEX one_email ON users (email)",
    "a value that is there": "INSERT INTO codes VALUES ('a')",
    "a value that is missing": "INSERT INTO codes SELECT max(code) FROM codes WHERE code = 'b'",
}
AMONG = {
    "a parent that has children": "DELETE FROM users WHERE id = 1",
    "a check": "UPDATE users SET email = 'x' WHERE id = 1",
    "a word for a number": "INSERT INTO users (id) SELECT email FROM users WHERE id = 1",
}


@pytest.mark.cloud
@pytest.mark.parametrize("sql", KNOWN.values(), ids=KNOWN)
def test_the_statement_that_d1_refuses_is_found(api: Api, sql: str) -> None:
    assert found(api, FIRST, sql, LAST) == (1,)


@pytest.mark.cloud
@pytest.mark.parametrize("sql", AMONG.values(), ids=AMONG)
def test_where_rows_decide_the_statements_that_write_are_named(api: Api, sql: str) -> None:
    assert found(api, FIRST, sql, LAST) == (0, 1)


def test_a_file_of_one_statement_names_it_whatever_sqlite_says() -> None:
    alone = file("2_b.sql", statements=("SELECT 1",))
    assert find_statements([], alone, "a trigger: no more, said SQLite: SQLITE_ERROR") == (0,)
    assert find_statements([], alone, "the token is not valid") == ()


def test_a_failure_of_the_ledger_is_about_no_statement() -> None:
    writes = file("2_b.sql", statements=("CREATE TABLE t (name TEXT UNIQUE)", "INSERT INTO t VALUES (1)"))
    assert find_statements([], writes, "UNIQUE constraint failed: crane_migrations.name: SQLITE_CONSTRAINT") == ()


def test_one_statement_is_quoted_and_several_are_numbered() -> None:
    three = file("2_b.sql", statements=("SELECT 1", "SELECT 2", "SELECT 3"))
    assert describe(three, (1,)) == "statement 2 of 3 (SELECT 2)"
    assert describe(three, (0, 2)) == "one of the statements 1, 3 of 3"
    assert describe(three, ()) == describe(three, (7,)) == ""


def found(api: Api, *statements: str) -> tuple[int, ...]:
    """The statements that are found from what D1 says about a request with them, on a database with rows."""
    database = api.database()
    api.query(database, ";".join((*BEFORE, ROWS)))
    message = api.refusal("POST", f"/d1/database/{database}/query", {"batch": [{"sql": sql} for sql in statements]})[2]
    return find_statements([file("1_a.sql", statements=BEFORE)], file("2_b.sql", statements=statements), message)
