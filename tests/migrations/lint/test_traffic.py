"""Lint finds what a migration would take from the version in traffic, and accepts a migration that takes nothing."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

from pathlib import Path

import pytest

from tests.migrations.builders import SHOWN, write_files
from tests.migrations.lint.linting import CHILD, LEAVES_OUT, REBUILD, USERS, Lint, errors, findings, findings_one_by_one, rules

GO = "-- crane: loses-rows users\n"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("DROP VIEW names; DROP TABLE users;", "drops-table"),
        ("DROP VIEW names; DROP TABLE IF EXISTS USERS;", "drops-table"),
        ("DROP VIEW names;", "drops-table"),
        ("ALTER TABLE users DROP COLUMN old;", "drops-column"),
        ("DROP VIEW names; CREATE VIEW names AS SELECT name FROM users;", "drops-column"),
        (
            LEAVES_OUT,
            "drops-column",
        ),
        ("ALTER TABLE users RENAME TO people;", "renames-table"),
        ("ALTER TABLE users RENAME COLUMN old TO older;", "renames-column"),
        ("ALTER TABLE users RENAME old TO o; ALTER TABLE users RENAME o TO older;", "renames-column"),
        ("CREATE UNIQUE INDEX one_name ON users (name);", "adds-unique-index"),
        ("CREATE UNIQUE INDEX one_name ON users (lower(name));", "adds-unique-index"),
        ("CREATE UNIQUE INDEX one_name ON users (name) WHERE old IS NULL;", "adds-unique-index"),
    ],
)
def test_taking_away_is_told_and_has_to_be_declared(judge: Lint, text: str, rule: str) -> None:
    before = f"{USERS} CREATE VIEW names AS SELECT id, name FROM users;"
    undeclared = judge(text, before=before)
    assert set(dict(errors(undeclared))) == {"contract-not-declared"}
    assert rule in dict(rules(undeclared, level="warning"))
    assert set(dict(rules(judge("-- crane: contract\n" + text, before=before)))) == {rule}
    (wrong,) = [one for one in judge("-- crane: expand\n" + text, before=before) if one.level == "error"]
    assert (wrong.rule, "it declares -- crane: expand but " in wrong.what) == ("contract-not-declared", True)


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        ("id INTEGER PRIMARY KEY, name BLOB, old TEXT", "changes-type"),
        ("id INTEGER PRIMARY KEY, name, old TEXT", "changes-type"),
        ("id INTEGER PRIMARY KEY, name TEXT AS (old || 'x'), old TEXT", "changes-type"),
        ("id INTEGER PRIMARY KEY, name TEXT NOT NULL, old TEXT", "tightens-constraint"),
        ("id INTEGER PRIMARY KEY, name TEXT UNIQUE, old TEXT", "tightens-constraint"),
        ("id INTEGER PRIMARY KEY, name TEXT CHECK (name <> ''), old TEXT", "tightens-constraint"),
        ("id INTEGER PRIMARY KEY, name TEXT, old TEXT REFERENCES others", "tightens-constraint"),
        ("id INTEGER PRIMARY KEY, name TEXT, old TEXT) STRICT --", "tightens-constraint"),
    ],
)
def test_a_rebuild_that_is_stricter_or_of_another_type_is_a_contract(judge: Lint, made: str, rule: str) -> None:
    text = f"{GO}CREATE TABLE u ({made}\n); DROP TABLE users; ALTER TABLE u RENAME TO users;".replace("--\n)", "")
    before = USERS + "CREATE TABLE others (id TEXT PRIMARY KEY);"
    assert rules(judge("-- crane: contract\n" + text, before=before)) == [(rule, 2)]
    assert errors(judge(text, before=before)) == [("contract-not-declared", 2)]


def test_a_default_that_goes_is_a_contract(judge: Lint) -> None:
    text = GO + "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT NOT NULL); DROP TABLE users; ALTER TABLE u RENAME TO users;"
    before = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '');"
    assert rules(judge("-- crane: contract\n" + text, before=before)) == [("tightens-constraint", 2)]


@pytest.mark.parametrize(
    "made",
    [
        "id INTEGER PRIMARY KEY, name TEXT, old TEXT",
        "id INTEGER PRIMARY KEY, name VARCHAR(9), old text, more INT CHECK (id > 0 or ')' = '''')",
        "id INTEGER PRIMARY KEY, name TEXT, old TEXT, email TEXT UNIQUE, up INTEGER REFERENCES others",
    ],
)
def test_a_rebuild_that_takes_nothing_away_is_none(judge: Lint, made: str) -> None:
    """The CHECK is the old one, written differently with the same tokens."""
    text = f"{GO}CREATE TABLE u ({made}); DROP TABLE users; ALTER TABLE u RENAME TO users;"
    before = USERS.replace("old TEXT", "old TEXT, CHECK( id>0 OR ')'=''''\n)") + "CREATE TABLE others (id INTEGER PRIMARY KEY);"
    assert rules(judge("-- crane: expand\n" + text, before=before)) == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a); ALTER TABLE t DROP COLUMN a; DROP TABLE t;".replace("(a)", "(a, b)"),
        "CREATE TABLE t (a TEXT); ALTER TABLE t RENAME TO s; ALTER TABLE s RENAME COLUMN a TO b; CREATE UNIQUE INDEX i ON s (b);",
        "ALTER TABLE users ADD COLUMN email TEXT; CREATE UNIQUE INDEX one_email ON users (email);",
        "CREATE INDEX by_name ON users (name); DROP INDEX by_name;",
        "CREATE UNIQUE INDEX i ON users (id, name);",
        "DROP TABLE IF EXISTS nowhere;",
        "ALTER TABLE users RENAME TO u; ALTER TABLE u RENAME TO users;",
        "ALTER TABLE users RENAME old TO o; ALTER TABLE users RENAME o TO old;",
    ],
)
def test_what_takes_nothing_from_traffic_is_fine(judge: Lint, text: str) -> None:
    assert rules(judge("-- crane: expand\n" + text)) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ALTER TABLE users ADD COLUMN new TEXT;", "-- crane: contract\nALTER TABLE users DROP COLUMN old;"),
        ("CREATE TABLE people AS SELECT * FROM users LIMIT 9;", "-- crane: contract\nDROP TABLE users;"),
        ("CREATE INDEX i ON Users (name);", "-- crane: contract\nALTER TABLE uSers RENAME TO people;"),
    ],
)
def test_a_contract_in_one_release_with_what_prepares_it_is_an_error(judge: Lint, first: str, second: str) -> None:
    (finding,) = [one for one in judge(first, second) if one.level == "error"]
    assert (finding.rule, finding.path, finding.statement) == ("contract-with-expand", f"{SHOWN}/0003_f.sql", 1)
    assert (
        finding.todo
        == f"Release {SHOWN}/0002_f.sql first, with the code that no longer needs the old schema, and this file in a later release"
    )


def test_a_contract_in_a_later_release_than_its_expand_is_fine(judge: Lint) -> None:
    before = USERS + "ALTER TABLE users ADD COLUMN new TEXT;"
    assert errors(judge("-- crane: contract\nALTER TABLE users DROP COLUMN old;", before=before)) == []


def test_contracts_and_expands_of_different_tables_go_together(judge: Lint) -> None:
    other = "CREATE TABLE other (a TEXT);"
    assert errors(judge(other, "-- crane: contract\nALTER TABLE users DROP COLUMN old;")) == []


def test_two_contracts_of_a_table_and_an_expand_after_one_go_together(judge: Lint) -> None:
    contracts = [f"-- crane: contract\nALTER TABLE users DROP COLUMN {name};" for name in ("old", "name")]
    assert errors(judge(*contracts, "ALTER TABLE users ADD COLUMN new TEXT;")) == []


def test_dropping_and_adding_in_one_file_is_an_error(judge: Lint) -> None:
    text = "-- crane: contract\nALTER TABLE users ADD COLUMN new TEXT; ALTER TABLE users DROP COLUMN old;"
    assert errors(judge(text)) == [("contract-with-expand", 2)]


def test_an_empty_database_takes_every_release_at_once(tmp_path: Path) -> None:
    texts = [USERS, "ALTER TABLE users ADD COLUMN new TEXT;", "ALTER TABLE users DROP COLUMN old;", "UPDATE users SET new = '';"]
    files = write_files(tmp_path, {f"{number}_f.sql": text for number, text in enumerate(texts, 1)})
    assert findings(files, files) == ()
    one_by_one = findings_one_by_one(files)
    assert errors(one_by_one) == [("contract-not-declared", 1), ("update-or-delete-without-where", 1)]
    assert [finding.path for finding in one_by_one if finding.level == "error"] == [f"{SHOWN}/3_f.sql", f"{SHOWN}/4_f.sql"]


def test_pending_files_are_judged_after_all_that_the_database_has(tmp_path: Path) -> None:
    files = write_files(tmp_path, {"1_a.sql": USERS, "2_late.sql": REBUILD, "3_child.sql": CHILD.format(action="CASCADE")})
    assert errors(findings(files, files[1:2])) == [("rebuilds-referenced-table", 3)]


# Unique keys that are more than columns

SLUGGED = "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT, deleted TEXT);"
KEPT = "CREATE UNIQUE INDEX one_title ON posts (title) WHERE deleted IS NULL;"
LOWER = "CREATE UNIQUE INDEX one_title ON posts (lower(title));"


@pytest.mark.parametrize(
    "index",
    [
        "posts (slug)",
        "posts (slug) WHERE slug IS NOT NULL",
        "posts (lower(slug))",
        "posts (title, slug)",
        "posts (title, slug) WHERE deleted IS NULL",
        "posts (title) WHERE slug IS NOT NULL",
        "posts (title) WHERE deleted IS NULL AND slug <> ''",
        'posts ("slug" COLLATE NOCASE) WHERE [slug] > 5',
    ],
)
def test_a_unique_index_that_existing_rows_cannot_break_is_no_tightening(judge: Lint, index: str) -> None:
    assert judge(f"ALTER TABLE posts ADD COLUMN slug TEXT; CREATE UNIQUE INDEX i ON {index};", before=SLUGGED) == ()


@pytest.mark.parametrize(
    ("index", "shown"),
    [
        ("posts (lower(title))", "lower(title)"),
        ("posts ( title ) WHERE deleted  IS NULL", "title (where deleted IS NULL)"),
        ("posts (title) WHERE slug IS NULL", "title (where slug IS NULL)"),
        ("posts (coalesce(slug, ''))", "coalesce(slug, '')"),
        ("posts (title, lower(id) DESC) WHERE deleted >= 5 OR slug <> ''", "title, lower(id) (where deleted >= 5 OR slug <> '')"),
    ],
)
def test_a_unique_index_that_existing_rows_may_break_is_told_as_it_is_written(judge: Lint, index: str, shown: str) -> None:
    found = judge(f"-- crane: contract\nALTER TABLE posts ADD COLUMN slug TEXT; CREATE UNIQUE INDEX i ON {index};", before=SLUGGED)
    assert [finding.what for finding in found] == [f"makes {shown} of posts unique, which fails if existing rows have equal values"]


@pytest.mark.parametrize(
    ("before", "again"),
    [
        (KEPT, "CREATE UNIQUE INDEX  one_title ON posts (title)  WHERE deleted IS  NULL;"),
        (KEPT, 'create unique index "other" on "posts" ("Title") where "deleted" is null;'),
        (LOWER, "CREATE UNIQUE INDEX i ON posts ( LOWER( title ) );"),
    ],
)
def test_the_same_key_again_is_no_change(judge: Lint, before: str, again: str) -> None:
    assert judge(f"DROP INDEX one_title; {again}", before=SLUGGED + before) == ()


@pytest.mark.parametrize(
    ("before", "again"),
    [
        (KEPT, "CREATE UNIQUE INDEX i ON posts (title) WHERE id > 5 AND deleted IS NULL;"),
        (KEPT, "CREATE UNIQUE INDEX i ON posts (title, id) WHERE deleted IS NULL;"),
        (LOWER, "CREATE UNIQUE INDEX i ON posts (lower(title) DESC, id) WHERE deleted IS NULL;"),
        ("CREATE UNIQUE INDEX one_title ON posts (title);", KEPT),
    ],
)
def test_a_looser_key_is_no_tightening_but_takes_the_old_one_away(judge: Lint, before: str, again: str) -> None:
    found = judge(f"-- crane: contract\nDROP INDEX one_title; {again}", before=SLUGGED + before)
    assert rules(found) == [("drops-unique-key", 1)]


@pytest.mark.parametrize(
    "again", ["CREATE UNIQUE INDEX one_title ON posts (title);", "CREATE UNIQUE INDEX i ON posts (title) WHERE deleted = 1;"]
)
def test_another_condition_is_one(judge: Lint, again: str) -> None:
    assert "adds-unique-index" in dict(rules(judge(f"DROP INDEX one_title; {again}", before=SLUGGED + KEPT)))
