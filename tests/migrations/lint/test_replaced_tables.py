"""Lint finds a table that a file drops with its rows and creates again."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import pytest

from tests.migrations.lint.linting import REBUILD, SAFE_REBUILD, USERS, Lint, cascading, errors

DROP_AND_CREATE = "-- crane: contract\nDROP TABLE users; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);"
REPLACES = [("replaces-table", 1)]


@pytest.mark.parametrize(
    "text",
    [
        DROP_AND_CREATE,
        DROP_AND_CREATE.replace("DROP TABLE users;", "DROP TABLE IF EXISTS users;"),
        DROP_AND_CREATE + "INSERT INTO users VALUES (1, 'a', 'b', 'c');",
        DROP_AND_CREATE.removeprefix("-- crane: contract\n"),
    ],
)
def test_dropping_a_table_with_its_rows_and_creating_it_again_is_an_error_until_it_is_declared(judge: Lint, text: str) -> None:
    assert errors(judge(text)) == REPLACES
    assert errors(judge("-- crane: loses-rows users\n" + text)) == []


def test_the_text_names_the_table_and_the_way_on(judge: Lint) -> None:
    (finding,) = [finding for finding in judge(DROP_AND_CREATE) if finding.level == "error"]
    assert finding.what == "it drops users with its rows, and creates another users without them"
    assert finding.todo == (
        "Copy the rows to the new table before the drop (docs/lint.md shows how); if they may go, declare -- crane: loses-rows users"
    )


def test_a_rename_to_the_old_name_without_a_copy_is_one_too(judge: Lint) -> None:
    text = "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT, old TEXT); DROP TABLE users; ALTER TABLE new RENAME TO users;"
    assert errors(judge(text)) == [("replaces-table", 2)]
    aside = "ALTER TABLE users RENAME TO aside; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT); DROP TABLE aside;"
    assert errors(judge(aside)) == [("replaces-table", 3)]


@pytest.mark.parametrize(
    "text",
    [
        REBUILD,
        "CREATE TABLE kept AS SELECT * FROM users;" + DROP_AND_CREATE.partition("\n")[2]
        + "INSERT INTO users (id, name, old) SELECT id, name, old FROM kept; DROP TABLE kept;",
        "DELETE FROM users WHERE true;" + DROP_AND_CREATE.partition("\n")[2],
    ],
)  # fmt: skip
def test_rows_that_are_copied_or_deleted_by_name_are_no_finding(judge: Lint, text: str) -> None:
    assert errors(judge(text)) == []


def test_a_table_that_no_one_uses_yet_is_no_finding(judge: Lint) -> None:
    assert errors(judge(USERS, DROP_AND_CREATE, before="SELECT 1;")) == []
    assert errors(judge(SAFE_REBUILD, before=cascading())) == []
