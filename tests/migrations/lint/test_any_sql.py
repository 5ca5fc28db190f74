"""Whatever the statements: lint never fails, and the rows it reports as lost are those that SQLite loses."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

from hypothesis import example, given, settings
from hypothesis import strategies as st

from crane_infra.migrations.files.header import Header
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.lint.judge import examine
from tests.migrations.builders import file
from tests.migrations.lint.linting import findings, findings_one_by_one, rows_of, run

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


# A temporary table hides an ordinary one of the same name, and its indexes.
SHADOWED = ["CREATE TEMP TABLE a (x)", 'CREATE UNIQUE INDEX i ON a ("no column")', "CREATE TABLE a (id INTEGER PRIMARY KEY)"]


@settings(max_examples=200)
@example([SHADOWED], 0, None)
@given(st.lists(st.lists(STATEMENT, max_size=8), max_size=3), st.integers(0, 3), st.sampled_from([None, "expand", "contract"]))
def test_lint_never_raises(files: list[list[str]], known: int, kind: str | None) -> None:
    header = Header(kind, frozenset({"a"}), frozenset({"b"}))  # type: ignore[arg-type]
    made = [MigrationFile(number, f"{number}_f.sql", f"{number}_f.sql", "", tuple(texts), header) for number, texts in enumerate(files)]
    for finding in findings(made, made[known:]) + findings_one_by_one(made):
        assert "\n" not in str(finding)
        assert finding.what
        assert finding.todo
