"""Lint finds which rows a migration would lose, and accepts a migration that loses none."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

import pytest

from tests.migrations.builders import SHOWN
from tests.migrations.lint.linting import CHILD, REBUILD, SAFE_REBUILD, USERS, Lint, cascading, errors, rows_of, rules, run


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_rebuilding_a_table_that_others_refer_to_is_an_error(judge: Lint, action: str) -> None:
    assert errors(judge(REBUILD, before=cascading(action))) == [("rebuilds-referenced-table", 3)]


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
def test_dropping_a_table_that_others_refer_to_is_an_error(judge: Lint, action: str) -> None:
    found = judge("-- crane: contract\n-- crane: loses-rows notes\nDROP TABLE users;", before=cascading(action))
    assert [finding.what for finding in found if finding.level == "error"] == [
        "notes still refers to users, so writes to notes fail"  # the rows may go, the reference stays
    ]
    assert errors(judge("-- crane: contract\nDROP TABLE users;", before=cascading(action))) == [("drops-referenced-table", 1)] * 2


def test_the_text_names_the_children_and_what_to_do(judge: Lint) -> None:
    (finding,) = judge(
        REBUILD.replace("INSERT", "-- copy\nINSERT", 1).replace(" FROM users;", " FROM users WHERE id > 0;"), before=cascading()
    )
    assert str(finding) == (
        f"{SHOWN}/0002_f.sql, statement 3: dropping users also deletes rows of notes, or clears references in them (ON DELETE). "
        "Copy and drop the tables that refer to it first (docs/lint.md shows how); if these rows may go, declare -- crane: loses-rows notes. "
        "(rebuilds-referenced-table)"
    )


def test_deferring_foreign_keys_does_not_help_and_the_text_says_so(judge: Lint) -> None:
    (finding, *_) = [one for one in judge("PRAGMA defer_foreign_keys = ON;" + REBUILD, before=cascading()) if one.level == "error"]
    assert "PRAGMA defer_foreign_keys does not prevent that" in finding.what


def test_each_child_has_to_be_declared(judge: Lint) -> None:
    two = cascading() + CHILD.format(action="SET NULL").replace("notes", "Marks")
    assert errors(judge("-- crane: loses-rows notes\n" + REBUILD, before=two)) == [("rebuilds-referenced-table", 3)]
    assert errors(judge("-- crane: loses-rows NOTES, marks\n" + REBUILD, before=two)) == []


def test_children_of_children_lose_rows_too(judge: Lint) -> None:
    deep = cascading() + "CREATE TABLE lines (note INTEGER REFERENCES notes (id) ON DELETE CASCADE);"
    assert errors(judge("-- crane: loses-rows notes\n" + REBUILD, before=deep)) == [("rebuilds-referenced-table", 3)]
    assert errors(judge("-- crane: loses-rows notes, lines\n" + REBUILD, before=deep)) == []


def test_renaming_the_old_table_away_first_is_seen_through(judge: Lint) -> None:
    text = (
        "ALTER TABLE users RENAME TO users_old; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT);"
        "INSERT INTO users SELECT * FROM users_old;"
    )
    assert errors(judge(text, before=cascading())) == [("rebuilds-referenced-table", 1)]
    assert ("rebuilds-referenced-table", 4) in errors(judge(text + "DROP TABLE users_old;", before=cascading()))


def test_the_copy_itself_is_lost_when_it_refers_to_the_old_table(judge: Lint) -> None:
    tree = "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree (id) ON DELETE CASCADE);"
    text = (
        "CREATE TABLE tree_new (id INTEGER PRIMARY KEY, up INTEGER REFERENCES {name} (id) ON DELETE CASCADE, more TEXT);"
        "INSERT INTO tree_new (id, up) SELECT id, up FROM tree; DROP TABLE tree; ALTER TABLE tree_new RENAME TO tree;"
    )
    (finding,) = [one for one in judge(text.format(name="tree"), before=tree) if one.level == "error"]
    assert (finding.rule, "rows of tree_new" in finding.what) == ("rebuilds-referenced-table", True)
    assert errors(judge(text.format(name="tree_new"), before=tree)) == []


def test_children_that_are_empty_by_construction_lose_nothing(judge: Lint) -> None:
    child, drop = CHILD.format(action="CASCADE"), "DROP TABLE notes; DROP TABLE users;"
    assert errors(judge("-- crane: contract\n" + child + drop)) == []
    assert errors(judge(child, REBUILD)) == []
    assert errors(judge("DELETE FROM notes WHERE true;" + REBUILD, before=cascading())) == []


@pytest.mark.parametrize(
    "fill",
    ["INSERT INTO notes VALUES (1, 1, '');", "CREATE TRIGGER x AFTER INSERT ON users BEGIN INSERT INTO notes VALUES (1, 1, ''); END; INSERT INTO users VALUES (1, '', '');"],
)  # fmt: skip
def test_children_that_were_filled_since_are_not_empty(judge: Lint, fill: str) -> None:
    """What pending files wrote are no user's rows, so it is a warning."""
    found = judge(CHILD.format(action="CASCADE") + fill, REBUILD)
    assert errors(found) == []
    assert ("rebuilds-referenced-table", 3) in rules(found, level="warning")


def test_a_child_that_was_renamed_is_followed(judge: Lint) -> None:
    text = "ALTER TABLE notes RENAME TO remarks;" + REBUILD
    found = [one for one in judge("-- crane: contract\n" + text, before=cascading()) if one.level == "error"]
    assert [("remarks" in one.what, one.rule) for one in found] == [(True, "rebuilds-referenced-table")]


def test_copying_the_children_too_and_dropping_them_first_is_safe(judge: Lint) -> None:
    assert errors(judge(SAFE_REBUILD, before=cascading())) == []
    with closing(rows_of(cascading())) as db:
        run(db, SAFE_REBUILD)
        assert db.execute("SELECT id, user FROM notes").fetchall() == [(1, 1)]


@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT"])
def test_references_that_make_the_drop_fail_are_told_as_a_warning(judge: Lint, action: str) -> None:
    for text in (REBUILD, "PRAGMA defer_foreign_keys = ON;" + REBUILD):
        found = judge(text, before=cascading(action))
        assert errors(found) == []
        assert "rebuilds-referenced-table" in dict(rules(found))
        with closing(rows_of(cascading(action))) as db, pytest.raises(sqlite3.IntegrityError):
            run(db, text)


def test_a_table_filled_again_under_its_own_name_passes_with_deferred_keys(judge: Lint) -> None:
    text = (
        "PRAGMA defer_foreign_keys = ON; CREATE TABLE kept AS SELECT * FROM users; DROP TABLE users;"
        f"{USERS} INSERT INTO users SELECT * FROM kept; DROP TABLE kept;"
    )
    assert set(dict(rules(judge(text, before=cascading("NO ACTION"))))) == {"long-data-change"}
    with closing(rows_of(cascading("NO ACTION"))) as db:
        run(db, text)
        assert db.execute("SELECT id, user FROM notes").fetchall() == [(1, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; DELETE FROM users WHERE id = 1;",
        "SELECT 1; REPLACE INTO users VALUES (1, 'a', 'b');",
        "INSERT INTO users VALUES (2, 'a', 'b'); UPDATE OR REPLACE users SET id = 1 WHERE id = 2;",
    ],
)
def test_deleting_or_replacing_parents_is_an_error_until_it_is_declared(judge: Lint, text: str) -> None:
    overwrites = "-- crane: overwrites-rows users\n" if "REPLACE" in text else ""
    assert rules(judge(overwrites + text, before=cascading())) == [("deletes-referenced-rows", 2)]
    assert rules(judge(overwrites + "-- crane: loses-rows notes\n" + text, before=cascading())) == []
    assert rules(judge(overwrites + text, before=cascading("NO ACTION"))) == []
    with closing(rows_of(cascading())) as db:
        run(db, text)
        assert db.execute("SELECT * FROM notes").fetchall() == []


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO users VALUES (7, 'a', 'b');",
        "-- crane: overwrites-rows users\nINSERT INTO users VALUES (1, 'a', 'b') ON CONFLICT DO UPDATE SET name = 'c';",
        "UPDATE users SET id = 7 WHERE id = 1;",
        "DELETE FROM notes WHERE id = 1;",
    ],
)
def test_writing_without_deleting_parents_loses_nothing(judge: Lint, text: str) -> None:
    assert rules(judge(text, before=cascading("CASCADE ON UPDATE CASCADE"))) == []


def test_a_declaration_without_a_loss_is_told(judge: Lint) -> None:
    assert rules(judge("-- crane: loses-rows note\nDELETE FROM users WHERE id = 1;", before=cascading())) == [
        ("needless-loses-rows", None),
        ("deletes-referenced-rows", 1),
    ]
    assert rules(judge("-- crane: loses-rows notes\nDELETE FROM notes WHERE id = 1;", before=cascading())) == []
