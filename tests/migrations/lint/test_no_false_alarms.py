"""What loses nothing and takes nothing away is no finding, however much it looks like it; what looks alike and does is one."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crane_infra.migrations.lint.judge import examine
from tests.migrations.builders import write_files
from tests.migrations.lint.linting import CHILD, REBUILD, SAFE_REBUILD, USERS, Lint, cascading, errors, findings, rows_of, rules, run

# An empty database takes what plain SQLite takes

SEEDED = USERS + "INSERT INTO users VALUES (1, 'a', 'b');" + CHILD.format(action="CASCADE")
SEEDS = "INSERT INTO notes VALUES (1, 1, 'a');"


@pytest.mark.parametrize(
    "copy",
    [
        "INSERT INTO notes SELECT * FROM drafts;",
        "INSERT INTO notes SELECT id, 1, text FROM drafts WHERE text <> '' ORDER BY id;",
        "WITH d AS (SELECT * FROM drafts) INSERT INTO notes (id) SELECT id FROM d;",
        "INSERT INTO notes SELECT d.id, e.id, '' FROM drafts d JOIN drafts e;",
        "INSERT OR REPLACE INTO notes (id) SELECT id FROM drafts WHERE true ON CONFLICT (id) DO NOTHING RETURNING id;",
        "DROP TABLE notes; CREATE TABLE notes AS SELECT * FROM drafts;",
    ],
)
def test_a_copy_from_an_empty_table_fills_nothing(tmp_path: Path, copy: str) -> None:
    """So the rebuild of what it refers to deletes nothing."""
    drafts = "CREATE TABLE drafts (id INTEGER PRIMARY KEY, user INTEGER, text TEXT);"
    files = write_files(tmp_path / "files", {"1_a.sql": cascading() + drafts, "2_b.sql": copy + REBUILD})
    assert errors(findings(files, files)) == []
    assert examine(files, files)[1].counts == ()


@pytest.mark.parametrize(
    "copy",
    [
        "INSERT INTO notes (id) SELECT count(*) FROM drafts;",
        "INSERT INTO notes (id) SELECT 1 UNION SELECT id FROM drafts;",
        "INSERT INTO notes (id) SELECT u.id FROM users u LEFT JOIN drafts d ON d.id = u.id;",
        "INSERT INTO notes (id) SELECT count(*) FROM sqlite_master;",
    ],
)
def test_a_copy_that_may_give_rows_all_the_same_fills(judge: Lint, copy: str) -> None:
    drafts = "CREATE TABLE drafts (id INTEGER PRIMARY KEY, user INTEGER, text TEXT);"
    made = CHILD.format(action="CASCADE") + drafts
    text = f"{made} INSERT INTO notes (id, user) SELECT id, id FROM users WHERE id < 9; {copy} {REBUILD}"
    assert ("rebuilds-referenced-table", 7) in errors(judge(text))


def test_rows_that_the_same_folder_wrote_are_no_users_rows(tmp_path: Path) -> None:
    files = write_files(tmp_path / "files", {"1_a.sql": SEEDED, "2_b.sql": SEEDS, "3_c.sql": REBUILD})
    examined = examine(files, files)
    assert [(finding.rule, finding.level) for each in examined for finding in each.findings] == [("rebuilds-referenced-table", "warning")]
    assert [each.counts for each in examined] == [(), (), ()]
    (applied_before,) = examine(files, files[2:])
    assert errors(applied_before.findings) == [("rebuilds-referenced-table", 3)]
    assert [count.label for count in applied_before.counts] == ["notes", "users"]


# What one file does in two steps


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
def test_a_table_that_the_file_drops_anyway_loses_nothing_before(judge: Lint, action: str) -> None:
    text = "-- crane: contract\nDROP TABLE users; DROP TABLE notes;"
    assert rules(judge(text, before=cascading(action))) == [("drops-table", 1), ("drops-table", 2)]


@pytest.mark.parametrize(
    "between",
    [
        "CREATE TABLE kept AS SELECT * FROM notes WHERE id > 0; DROP TABLE notes;",
        "ALTER TABLE notes RENAME TO kept;",
        "DROP TABLE notes; DROP TABLE marks;",
    ],
)
def test_one_that_is_read_before_does_lose(judge: Lint, between: str) -> None:
    marks = "CREATE TABLE marks (id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes (id) ON DELETE CASCADE);"
    found = errors(judge(f"-- crane: contract\nDROP TABLE users; {between}", before=cascading() + marks))
    assert (("drops-referenced-table", 1) in found) == ("marks" not in between)


def test_what_refers_to_dropped_rows_may_go_after_them_where_the_check_waits(judge: Lint) -> None:
    before, text = cascading("NO ACTION"), "DROP TABLE users; DROP TABLE notes;"
    deferred = f"-- crane: contract\nPRAGMA defer_foreign_keys = ON; {text}"
    assert dict(rules(judge(deferred, before=before))).keys() == {"drops-table"}
    assert "drops-referenced-table" in dict(rules(judge(f"-- crane: contract\n{text}", before=before)))
    with closing(rows_of(before)) as db:
        run(db, deferred)
    with closing(rows_of(before)) as db, pytest.raises(sqlite3.IntegrityError):
        run(db, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALTER TABLE users ADD COLUMN a TEXT; UPDATE users SET a = name;", "long-data-change"),
        ("ALTER TABLE users ADD a TEXT; ALTER TABLE users ADD b TEXT; UPDATE users SET a = name, b = '';", "long-data-change"),
        ("ALTER TABLE users ADD COLUMN a TEXT; UPDATE users SET a = name, old = '';", "update-or-delete-without-where"),
        ("-- crane: contract\nALTER TABLE users RENAME old TO a; UPDATE users SET a = '';", "update-or-delete-without-where"),
        ("ALTER TABLE users ADD COLUMN a TEXT; DELETE FROM users;", "update-or-delete-without-where"),
        ("UPDATE users SET old = '';", "update-or-delete-without-where"),
    ],
)
def test_a_backfill_of_a_new_column_needs_no_where(judge: Lint, text: str, expected: str) -> None:
    found = [rule for rule, _ in rules(judge(text)) if rule in {"long-data-change", "update-or-delete-without-where"}]
    assert found == [expected]


# What a rebuild gives

WITH_EMAIL = "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, email TEXT NOT NULL);"
SWAP = "DROP TABLE users; ALTER TABLE u RENAME TO users;"
PLAIN = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"


@pytest.mark.parametrize(
    "copy",
    ["INSERT INTO u (id, name, email) SELECT id, name, '' FROM users;", "INSERT INTO u SELECT id, name, name FROM users;"],
)
def test_a_column_that_the_copy_fills_is_a_contract_for_the_version_in_traffic(judge: Lint, copy: str) -> None:
    """Rows that are there get a value, but rows that the version in traffic adds have none."""
    text = WITH_EMAIL + copy + SWAP
    assert errors(judge(text, before=PLAIN)) == [("contract-not-declared", 3)]
    (finding,) = judge(f"-- crane: contract\n{text}", before=PLAIN)
    assert (finding.rule, finding.level) == ("tightens-constraint", "warning")
    assert finding.what == "adds the column email to users as NOT NULL without a default, so rows that the version in traffic adds fail"
    with closing(rows_of(PLAIN)) as db:
        run(db, text)
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("INSERT INTO users (name) VALUES ('a')")


def test_a_copy_that_leaves_the_column_out_still_fails(judge: Lint) -> None:
    text = f"{WITH_EMAIL} INSERT INTO u (id, name) SELECT id, name FROM users; {SWAP}"
    assert errors(judge(text, before=PLAIN)) == [("adds-not-null-without-default", 4)]
    with closing(rows_of(PLAIN)) as db, pytest.raises(sqlite3.IntegrityError):
        run(db, text)


def test_the_copy_of_a_rebuild_is_no_long_change(judge: Lint) -> None:
    assert rules(judge(REBUILD)) == []
    assert rules(judge(SAFE_REBUILD, before=cascading())) == []
    other = "CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO kept SELECT id, name FROM users;"
    assert rules(judge(f"{other} {REBUILD}")) == [("long-data-change", 2)]


# Values that go although the column stays


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("ALTER TABLE users DROP COLUMN old; ALTER TABLE users ADD COLUMN old TEXT;", 1),
        (REBUILD.replace("(id, name, old) SELECT id, name, old", "(id, name) SELECT id, name"), 2),
    ],
)
def test_a_column_that_stays_without_its_values_is_told(judge: Lint, text: str, at: int) -> None:
    (finding,) = judge(f"-- crane: contract\n{text}")
    assert (finding.rule, finding.statement) == ("drops-column", at)
    assert finding.what == "drops the values of the column old of users, and keeps the column"
    with closing(rows_of(USERS)) as db:
        run(db, text)
        assert db.execute("SELECT old FROM users").fetchall() == [(None,)]


def test_a_column_that_an_update_fills_after_the_copy_keeps_its_values(judge: Lint) -> None:
    copy = "(id, name) SELECT id, name FROM users; UPDATE users_new SET old = (SELECT u.old FROM users u WHERE u.id = users_new.id)"
    assert rules(judge(REBUILD.replace("(id, name, old) SELECT id, name, old FROM users", copy))) == []


def test_rows_that_a_trigger_deletes_from_another_table_are_counted(tmp_path: Path) -> None:
    trigger = "CREATE TRIGGER t AFTER DELETE ON users BEGIN DELETE FROM notes WHERE user = old.id; END;"
    made = USERS + CHILD.format(action="NO ACTION") + trigger
    files = write_files(tmp_path / "files", {"1_a.sql": made, "2_b.sql": "-- crane: loses-rows notes\nDELETE FROM users WHERE id = 1;"})
    (examined,) = examine(files, files[1:])
    assert [(count.label, count.may_fall) for count in examined.counts] == [("notes", True)]
    assert examined.findings == ()


# Releases


@pytest.mark.parametrize("first", ["UPDATE users SET name = old WHERE name IS NULL;", "INSERT INTO users (name) VALUES ('a');", "SELECT * FROM users;"])  # fmt: skip
def test_a_file_that_only_writes_rows_prepares_for_nothing(judge: Lint, first: str) -> None:
    assert errors(judge(first, "-- crane: contract\nALTER TABLE users DROP COLUMN old;")) == []


def test_a_loosened_check_after_an_expand_is_no_contract(judge: Lint) -> None:
    before = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT CHECK (name IN ('a', 'b')));"
    rebuild = (
        "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT CHECK (name IN ('a', 'b', 'c')), more TEXT);"
        "INSERT INTO u (id, name, more) SELECT id, name, more FROM users; DROP TABLE users; ALTER TABLE u RENAME TO users;"
    )
    assert judge("ALTER TABLE users ADD COLUMN more TEXT;", rebuild, before=before) == ()
