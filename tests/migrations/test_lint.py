"""Lint finds what a migration would lose or take away, and lets pass what does neither. SQLite itself is asked what is true."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_infra.migrations import MigrationFile
from crane_infra.migrations.finding import Finding
from crane_infra.migrations.header import Header
from crane_infra.migrations.lint import classify, examine, lint, lint_each, tables_touched
from crane_infra.migrations.sql import split
from tests.docs import markdown
from tests.migrations.builders import SHOWN, file, write_files

PAGE = markdown.ROOT / "docs" / "lint.md"
SOURCES = [markdown.ROOT / "crane_infra" / "migrations" / f"{name}.py" for name in ("changes", "lint", "lint_rules")]
Lint = Callable[..., tuple[Finding, ...]]
USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, old TEXT);"
CHILD = "CREATE TABLE notes (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users (id) ON DELETE {action}, text TEXT);"
REBUILD = (
    "CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);"
    "INSERT INTO users_new (id, name, old) SELECT id, name, old FROM users; DROP TABLE users; ALTER TABLE users_new RENAME TO users;"
)
LEAVES_OUT = (
    "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO u SELECT id, name FROM users WHERE id < 9; DROP VIEW names;"
    "DROP TABLE users; ALTER TABLE u RENAME TO users; CREATE VIEW names AS SELECT id, name FROM users;"
)
SAFE_REBUILD = (
    "CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT, old TEXT, more TEXT);"
    "INSERT INTO users_new (id, name, old) SELECT id, name, old FROM users;"
    "CREATE TABLE notes_new (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users_new (id) ON DELETE CASCADE, text TEXT);"
    "INSERT INTO notes_new SELECT * FROM notes; DROP TABLE notes; DROP TABLE users;"
    "ALTER TABLE users_new RENAME TO users; ALTER TABLE notes_new RENAME TO notes;"
)


@pytest.fixture
def judge(tmp_path: Path) -> Lint:
    """Lint files given by their text; ``before`` is what the database has."""

    def judge(*pending: str, before: str = USERS) -> tuple[Finding, ...]:
        names = {f"{number:04}_f.sql": text for number, text in enumerate((before, *pending), 1)}
        files = write_files(tmp_path / "files", names)
        return lint(files, files[1:])

    return judge


def rules(findings: Sequence[Finding], *, level: str = "") -> list[tuple[str, int | None]]:
    return [(finding.rule, finding.statement) for finding in findings if level in {"", finding.level}]


def errors(findings: Sequence[Finding]) -> list[tuple[str, int | None]]:
    return rules(findings, level="error")


def cascading(action: str = "CASCADE") -> str:
    return USERS + CHILD.format(action=action)


# Tables that others refer to


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_rebuilding_a_table_that_others_refer_to_is_an_error(judge: Lint, action: str) -> None:
    assert errors(judge(REBUILD, before=cascading(action))) == [("rebuilds-referenced-table", 3)]


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
def test_dropping_a_table_that_others_refer_to_is_an_error(judge: Lint, action: str) -> None:
    found = judge("-- crane: contract\n-- crane: loses-rows notes\nDROP TABLE users;", before=cascading(action))
    assert [finding.what for finding in found if finding.level == "error"] == [
        "notes still refers to users, so that writes to notes fail"  # the rows may go, the reference stays
    ]
    assert errors(judge("-- crane: contract\nDROP TABLE users;", before=cascading(action))) == [("drops-referenced-table", 1)] * 2


def test_the_text_names_the_children_and_what_to_do(judge: Lint) -> None:
    (finding,) = judge(
        REBUILD.replace("INSERT", "-- copy\nINSERT", 1).replace(" FROM users;", " FROM users WHERE id > 0;"), before=cascading()
    )
    assert str(finding) == (
        f"{SHOWN}/0002_f.sql, statement 3: dropping users also deletes rows of notes, or the references in them (ON DELETE). "
        "Copy and drop what refers to it first (docs/lint.md shows how); if these rows may go, say -- crane: loses-rows notes. "
        "(rebuilds-referenced-table)"
    )


def test_deferring_foreign_keys_does_not_help_and_the_text_says_so(judge: Lint) -> None:
    (finding, *_) = [one for one in judge("PRAGMA defer_foreign_keys = ON;" + REBUILD, before=cascading()) if one.level == "error"]
    assert "PRAGMA defer_foreign_keys does not stop that" in finding.what


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
    assert ("rebuilds-referenced-table", 3) in errors(judge(CHILD.format(action="CASCADE") + fill, REBUILD))


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
    assert rules(judge(text, before=cascading())) == [("deletes-referenced-rows", 2)]
    assert rules(judge("-- crane: loses-rows notes\n" + text, before=cascading())) == []
    assert rules(judge(text, before=cascading("NO ACTION"))) == []
    with closing(rows_of(cascading())) as db:
        run(db, text)
        assert db.execute("SELECT * FROM notes").fetchall() == []


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO users VALUES (7, 'a', 'b');",
        "INSERT INTO users VALUES (1, 'a', 'b') ON CONFLICT DO UPDATE SET name = 'c';",
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


# What is taken from the version in traffic


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("DROP TABLE users;", "drops-table"),
        ("DROP TABLE IF EXISTS USERS;", "drops-table"),
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
    assert (wrong.rule, "says -- crane: expand" in wrong.what) == ("contract-not-declared", True)


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
    text = f"CREATE TABLE u ({made}\n); DROP TABLE users; ALTER TABLE u RENAME TO users;".replace("--\n)", "")
    before = USERS + "CREATE TABLE others (id TEXT PRIMARY KEY);"
    assert rules(judge("-- crane: contract\n" + text, before=before)) == [(rule, 2)]
    assert errors(judge(text, before=before)) == [("contract-not-declared", 2)]


def test_a_default_that_goes_is_a_contract(judge: Lint) -> None:
    text = "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT NOT NULL); DROP TABLE users; ALTER TABLE u RENAME TO users;"
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
    """The check is the old one, in other words of the same tokens."""
    text = f"CREATE TABLE u ({made}); DROP TABLE users; ALTER TABLE u RENAME TO users;"
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
        ("UPDATE users SET name = old WHERE name IS NULL;", "-- crane: contract\nALTER TABLE users DROP COLUMN old;"),
        ("CREATE TABLE people AS SELECT * FROM users LIMIT 9;", "-- crane: contract\nDROP TABLE users;"),
        ("CREATE INDEX i ON Users (name);", "-- crane: contract\nALTER TABLE uSers RENAME TO people;"),
    ],
)
def test_a_contract_in_one_release_with_what_prepares_it_is_an_error(judge: Lint, first: str, second: str) -> None:
    (finding,) = [one for one in judge(first, second) if one.level == "error"]
    assert (finding.rule, finding.path, finding.statement) == ("contract-with-expand", f"{SHOWN}/0003_f.sql", 1)
    assert finding.todo == f"Release {SHOWN}/0002_f.sql first, with the code that no longer needs the old shape, and this file after it"


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
    assert lint(files, files) == ()
    assert errors(lint_each(files, files)) == [("contract-not-declared", 1), ("update-or-delete-without-where", 1)]
    assert [one.path for one in lint_each(files, files[3:])] == [f"{SHOWN}/4_f.sql"]


def test_pending_files_are_judged_after_all_that_the_database_has(tmp_path: Path) -> None:
    files = write_files(tmp_path, {"1_a.sql": USERS, "2_late.sql": REBUILD, "3_child.sql": CHILD.format(action="CASCADE")})
    assert errors(lint(files, files[1:2])) == [("rebuilds-referenced-table", 3)]


# What fails or hurts on rows


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ALTER TABLE users ADD COLUMN a TEXT NOT NULL;", "adds-not-null-without-default"),
        ("ALTER TABLE users ADD COLUMN a TEXT NOT NULL DEFAULT NULL;", "adds-not-null-without-default"),
        ("CREATE TABLE u (id INTEGER PRIMARY KEY, name, old, a TEXT NOT NULL); DROP TABLE users; ALTER TABLE u RENAME TO users;", "adds-not-null-without-default"),
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
        "INSERT INTO users SELECT id + 100, name, old FROM users WHERE true ON CONFLICT (id) DO UPDATE SET name = '' WHERE old = 1;",
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
    assert rules(judge(text)) == [("ignored-pragma", 4), ("ignored-pragma", 5)]
    assert errors(lint([file("2_a.sql", statements=("PRAGMA foreign_keys = OFF",))], [file("2_a.sql")])) == [("ignored-pragma", 1)]


def test_a_pragma_changes_nothing_but_the_meaning_of_a_rename_and_ends_with_its_file(judge: Lint) -> None:
    views = USERS + "CREATE VIEW names AS SELECT name FROM users; CREATE VIEW broken AS SELECT nowhere FROM users;"
    rename = "-- crane: contract\nALTER TABLE users RENAME TO people;"
    assert "not-understood" in dict(errors(judge(rename, before=views)))
    assert "not-understood" not in dict(errors(judge(rename.replace("ALTER", "PRAGMA legacy_alter_table=ON; ALTER"), before=views)))
    assert "not-understood" in dict(errors(judge("PRAGMA legacy_alter_table=ON;", rename, before=views)))


@pytest.mark.parametrize(
    "text", ["ALTER TABLE nowhere ADD COLUMN a;", "ALTER TABLE users ALTER COLUMN name SET NOT NULL;", "SELECT ?;", "CREATE TABLE t AS WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT * FROM r;"]
)  # fmt: skip
def test_what_sqlite_refuses_is_never_passed_silently(judge: Lint, text: str) -> None:
    assert errors(judge(f"SELECT 1; {text} SELECT 2;")) == [("not-understood", 2)]
    assert rules(judge("SELECT 1;", before=f"SELECT 1; {text}"), level="warning") == [("not-understood", 2)]


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
    before = file("1_a.sql", statements=split(cascading())[0])
    after = file("2_b.sql", statements=(statement,))
    assert (classify(after, [before]), tables_touched(after, [before])) == (kind, tables)


def test_a_file_without_statements_is_nothing() -> None:
    nothing = file("1_a.sql", statements=())
    assert (classify(nothing, []), tables_touched(nothing, []), lint([nothing], [nothing])) == ("none", [], ())


def test_a_preview_gets_everything_about_a_file_at_once() -> None:
    files = [file("1_a.sql", statements=split(cascading())[0]), file("2_b.sql", statements=split(REBUILD)[0])]
    (one,) = examine(files, files[1:])
    assert (one.file, one.kind, one.tables, one.loses_rows) == (files[1], "expand", ("notes", "users", "users_new"), ("notes",))
    assert rules(one.findings, level="error") == [("rebuilds-referenced-table", 3)]


# Whatever the statements

ACTIONS = st.sampled_from(["CASCADE", "SET NULL", "NO ACTION", "RESTRICT"])
DROPS = st.sampled_from(
    [
        "DROP TABLE a",
        "DROP TABLE b",
        "DROP TABLE c",
        "DELETE FROM a WHERE id = 1",
        "DELETE FROM b WHERE id = 1",
        "REPLACE INTO a VALUES (1, 1)",
    ]
)


@given(st.lists(st.tuples(st.sampled_from("abc"), ACTIONS), min_size=3, max_size=3), DROPS)
def test_what_lint_says_may_lose_rows_is_what_sqlite_loses(references: list[tuple[str, str]], statement: str) -> None:
    makes = [
        f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, up INTEGER REFERENCES {to} (id) ON DELETE {action})"
        for name, (to, action) in zip("abc", references, strict=True)
    ]
    files = [file("1_a.sql", statements=tuple(makes)), file("2_b.sql", statements=(statement,))]
    (one,) = examine(files, files[1:])
    with closing(rows_of(";".join(makes) + ";")) as db:
        before = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in "abc"}
        try:
            run(db, statement + ";")
        except sqlite3.IntegrityError:
            return
        left = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        changed = {name for name in left if db.execute(f"SELECT * FROM {name}").fetchall() != before[name]}
    target = {next(word for word in statement.split() if word in "abc")}
    assert set(one.loses_rows) - target == changed - target


NAME = st.sampled_from(["a", "b", "c", '"a b"', "A"])
COLUMN = st.sampled_from(["id", "x", "y", '"z z"'])
STATEMENT = st.one_of(
    st.builds("CREATE TABLE {} (id INTEGER PRIMARY KEY, x TEXT {}, y REFERENCES {} ON DELETE {})".format, NAME, st.sampled_from(["", "UNIQUE", "NOT NULL", "CHECK (x > 1)"]), NAME, ACTIONS),
    st.builds("CREATE TABLE {} AS SELECT * FROM {}".format, NAME, NAME),
    st.builds("CREATE {} INDEX i{} ON {} ({})".format, st.sampled_from(["", "UNIQUE"]), COLUMN, NAME, COLUMN),
    st.builds("CREATE VIEW {} AS SELECT {} FROM {}".format, NAME, COLUMN, NAME),
    st.builds("CREATE TRIGGER t{1} AFTER DELETE ON {0} BEGIN DELETE FROM {2}; END".format, NAME, COLUMN, NAME),
    st.builds("DROP {} IF EXISTS {}".format, st.sampled_from(["TABLE", "VIEW"]), NAME),
    st.builds("ALTER TABLE {} RENAME TO {}".format, NAME, NAME),
    st.builds("ALTER TABLE {} RENAME {} TO {}".format, NAME, COLUMN, COLUMN),
    st.builds("ALTER TABLE {} ADD COLUMN {} {}".format, NAME, COLUMN, st.sampled_from(["", "NOT NULL", "DEFAULT (1 + 1)", "AS (id)"])),
    st.builds("ALTER TABLE {} DROP COLUMN {}".format, NAME, COLUMN),
    st.builds("{} {}".format, st.sampled_from(["DELETE FROM", "REPLACE INTO a SELECT * FROM", "PRAGMA legacy_alter_table = ON; --", "EXPLAIN SELECT * FROM"]), NAME),
    st.sampled_from(["VACUUM", "ANALYZE", "REINDEX", "BEGIN", "COMMIT", "ATTACH ':memory:' AS m", "PRAGMA writable_schema = 1", "CREATE TEMP TABLE a (x)", "CREATE VIRTUAL TABLE c USING fts5(x)", "", ";", "\0", "\ud800"]),
    st.text(max_size=30),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.lists(STATEMENT, max_size=8), max_size=3), st.integers(0, 3), st.sampled_from([None, "expand", "contract"]))
def test_lint_never_raises(files: list[list[str]], known: int, kind: str | None) -> None:
    header = Header(kind, frozenset({"a"}))  # type: ignore[arg-type]
    made = [MigrationFile(number, f"{number}_f.sql", f"{number}_f.sql", "", tuple(texts), header) for number, texts in enumerate(files)]
    for finding in lint(made, made[known:]) + lint_each(made, made):
        assert "\n" not in str(finding)
        assert finding.what
        assert finding.todo


# The page that tells of the rules


def told() -> dict[str, str]:
    """The rules that the table of docs/lint.md names, with their levels."""
    return {row[0].strip("`"): row[1] for row in markdown.rows(PAGE)}


def examples() -> list[tuple[str, str]]:
    """The examples of docs/lint.md, each with the rule of the heading above it."""
    rule, found = "", []
    tokens = markdown.tokens(PAGE)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            rule = token.content.strip("`")
        elif token.type == "fence" and token.info.strip() == "sql":
            found.append((rule, token.content))
    return found


def lint_example(folder: Path, text: str) -> tuple[Finding, ...]:
    parts = [part.partition("\n") for part in text.split("-- file ")[1:]]
    files = write_files(folder, {name.removesuffix(", applied").strip(): content for name, _, content in parts})
    applied = {name.removesuffix(", applied") for name, _, _ in parts if name.endswith(", applied")}
    return lint(files, [one for one in files if one.name not in applied])


@pytest.mark.parametrize(("rule", "text"), examples())
def test_an_example_of_the_page_breaks_the_rule_and_what_to_write_instead_does_not(tmp_path: Path, rule: str, text: str) -> None:
    found = lint_example(tmp_path / "files", text)
    if text.startswith("-- instead"):
        assert errors(found) == []
        assert rule not in dict(rules(found))
    else:
        levels = {finding.level for finding in found if finding.rule == rule}
        assert levels == {told()[rule]}
        assert set(dict(errors(found))) <= {rule}


def test_the_page_has_an_example_of_each_rule_that_the_code_has() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    broken = [rule for rule, text in examples() if not text.startswith("-- instead")]
    assert sorted(broken) == sorted(told())
    assert set(told()) == set(re.findall(r'"((?!loses-rows)[a-z]+(?:-[a-z]+)+)"', source))


def rows_of(made: str) -> sqlite3.Connection:
    """A database with a row in each table, all referring to row 1."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for statement in split(made)[0]:
        db.execute(statement)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = len(db.execute(f"PRAGMA table_info({name})").fetchall())
        db.execute(f"INSERT INTO {name} VALUES ({', '.join(['1'] * columns)})")
    db.execute("PRAGMA foreign_keys = ON")
    return db


def run(db: sqlite3.Connection, text: str) -> None:
    """Run a file as D1 does, as one transaction."""
    db.execute("BEGIN")
    for statement in split(text)[0]:
        db.execute(statement)
    db.execute("COMMIT")
