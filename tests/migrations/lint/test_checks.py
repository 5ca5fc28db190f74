"""A rebuild with another CHECK tightens its table only where SQLite would then refuse a row that the old table accepted."""

from contextlib import closing

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.lint.judge import examine
from tests.migrations.builders import file
from tests.migrations.lint.linting import Lint, errors, rules

COPY = "INSERT INTO u (id, name, n) SELECT id, name, n FROM users WHERE id > 0; DROP TABLE users; ALTER TABLE u RENAME TO users;"


def rebuilt(judge: Lint, was: str, now: str, columns: str = "name TEXT, n INTEGER") -> list[str]:
    """What lint says that a rebuild with another CHECK takes away."""
    before = f"CREATE TABLE users (id INTEGER PRIMARY KEY, {columns}, {was});"
    found = judge(f"CREATE TABLE u (id INTEGER PRIMARY KEY, {columns}, {now}); {COPY}", before=before)
    assert {finding.rule for finding in found} <= {"tightens-constraint", "contract-not-declared"}
    return [finding.what for finding in found if finding.level == "warning"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("CHECK (name IN ('a', 'b'))", "CHECK (name IN ('a', 'b', 'c'))"),
        ("CHECK (name = 'a' OR name = 'b')", "CHECK (\"name\" IN ('b', 'c', 'a'))"),
        ("CHECK (n BETWEEN 0 AND 10)", "CHECK (n >= 0)"),
        ("CHECK (n BETWEEN 0 AND 10)", "CHECK (n >= -5 AND n <= 10.5)"),
        ("CHECK (n > 1)", "CHECK (n >= 1)"),
        ("CHECK (n > 1)", "CHECK (NOT n < 1)"),
        ("CHECK (n > 1)", "CHECK (n IS NULL OR n <> 1)"),
        ("CHECK (n IN (1, 2, 3))", "CHECK (n BETWEEN 1 AND 3)"),
        ("CHECK (n IN (0, 1))", "CHECK (n IN (FALSE, TRUE, 2))"),
        ("CHECK (n = '5')", "CHECK (n = 5)"),
        ("CHECK (length(name) <= 20)", "CHECK (LENGTH( name ) <= 40)"),
        ("CHECK (n > 5), CHECK (n < 9)", "CHECK (n > 5 AND n < 10)"),
        ("CHECK (n > 5 AND name <> '')", "CHECK (n > 5)"),
        ("CHECK (n > 5 AND name <> '')", "CHECK (n > 5 OR name <> '')"),
        ("CHECK (n IS NOT NULL), CHECK (id > n)", "CHECK (n NOTNULL)"),
    ],
)
def test_a_check_that_accepts_all_that_the_old_one_did_is_no_tightening(judge: Lint, was: str, now: str) -> None:
    assert rebuilt(judge, was, now) == []


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("CHECK (name IN ('a', 'b', 'c'))", "CHECK (name IN ('a', 'b'))"),
        ("CHECK (n >= 0)", "CHECK (n BETWEEN 0 AND 10)"),
        ("CHECK (n BETWEEN 1 AND 3)", "CHECK (n IN (1, 2, 3))"),
        ("CHECK (n >= 1)", "CHECK (n > 1)"),
        ("CHECK (n > 1)", "CHECK (n > 1 AND n IS NOT NULL)"),
        ("CHECK (n > 1)", "CHECK (n > 1 AND name <> '')"),
        ("CHECK (length(name) <= 40)", "CHECK (length(name) <= 20)"),
        ("CHECK (length(name) <= 40)", "CHECK (name <= 40)"),
        ("CHECK (name = 'a' COLLATE NOCASE)", "CHECK (name IN ('a', 'A'))"),
        ("CHECK (n = 1)", "CHECK (n = 1 IS TRUE)"),
        ("CHECK (n > 1)", "CHECK (n > name)"),
        ("CHECK (n > 1)", "CHECK (n % 2)"),
    ],
)
def test_a_check_that_may_refuse_what_the_old_one_accepted_is_one(judge: Lint, was: str, now: str) -> None:
    assert rebuilt(judge, was, now) == [f"adds {now} in users"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("name TEXT COLLATE NOCASE CHECK (name = 'ab')", "name TEXT CHECK (name IN ('ab', 'AB'))"),
        ("name TEXT CHECK (name < '9')", "name VARCHAR(9) COLLATE NOCASE CHECK (name <= '9')"),
        ("name TEXT AS (lower(n)) CHECK (name < 'b')", "name TEXT AS (upper(n)) CHECK (name <= 'b')"),
    ],
)
def test_where_values_change_or_compare_otherwise_nothing_follows(judge: Lint, was: str, now: str) -> None:
    copy = COPY if " AS (" not in was else COPY.replace("id, name, n", "id, n")
    before = f"CREATE TABLE users (id INTEGER PRIMARY KEY, n INTEGER, {was});"
    found = judge(f"-- crane: contract\nCREATE TABLE u (id INTEGER PRIMARY KEY, n INTEGER, {now}); {copy}", before=before)
    assert rules(found) == [("tightens-constraint", 3)]


def test_a_check_on_a_new_column_holds_for_what_the_version_in_traffic_writes(judge: Lint) -> None:
    assert rebuilt(judge, "CHECK (n > 1)", "kind TEXT CHECK (kind LIKE 'a%'), CHECK (n > 1)") == []
    assert rebuilt(judge, "CHECK (n > 1)", "kind TEXT DEFAULT 'a' CHECK (kind IN ('a', 'b')), CHECK (n > 1 OR kind = 'b')") == []
    strict = "kind TEXT DEFAULT 'c' CHECK (kind IN ('a', 'b'))"
    assert rebuilt(judge, "CHECK (n > 1)", strict) == ["adds CHECK (kind IN ('a', 'b')) in users"]
    assert rebuilt(judge, "CHECK (n > 1)", "kind TEXT DEFAULT 'c', CHECK (n > 1 AND kind = 'b')") != []


def test_a_not_null_that_a_check_already_asks_for_is_no_tightening(judge: Lint) -> None:
    before = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT CHECK (name IS NOT NULL), n INTEGER);"
    made = f"CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER); {COPY}"
    assert errors(judge(made, before=before)) == []


def test_a_check_is_shown_as_it_is_written(judge: Lint) -> None:
    now = "CHECK (n>=  2 -- two\n AND \"Name\" <> 'A  B')"
    assert rebuilt(judge, "CHECK (n > 1)", now) == ["adds CHECK (n>= 2 AND \"Name\" <> 'A  B') in users"]


LITERAL = st.sampled_from(["1", "2", "5", "-1", "2.5", "'a'", "'b'", "'ab'", "'1'", "''", "NULL", "0"])
COMPARISON = st.one_of(
    st.builds("c {} {}".format, st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"]), LITERAL),
    st.builds("{1} {0} c".format, st.sampled_from(["=", "<", "!="]), LITERAL),
    st.builds("c {}BETWEEN {} AND {}".format, st.sampled_from(["", "NOT "]), LITERAL, LITERAL),
    st.builds("c {}IN ({})".format, st.sampled_from(["", "NOT "]), st.lists(LITERAL, max_size=3).map(", ".join)),
    st.sampled_from(["c ISNULL", "c NOTNULL", "c NOT NULL"]),
)
CONDITION = st.recursive(
    COMPARISON,
    lambda inner: st.one_of(st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner), st.builds("NOT ({})".format, inner)),
    max_leaves=4,
)  # fmt: skip
COLUMN = st.builds("c {} {}".format, st.sampled_from(["", "TEXT", "INTEGER", "REAL", "NUMERIC"]), st.sampled_from(["", "NOT NULL", "COLLATE NOCASE"]))  # fmt: skip
VALUE = st.one_of(
    st.none(),
    st.integers(-3, 7),
    st.floats(-2, 6),
    st.text("abABc1 .", max_size=3),
    st.binary(max_size=1),
    st.sampled_from([1, 2, 5, -1, 2.5, "a", "b", "ab", "AB", "1", "2.5", "", 0]),
)


@settings(max_examples=100, deadline=None)
@given(COLUMN, CONDITION, CONDITION, st.booleans(), st.lists(VALUE, min_size=20, max_size=20))
def test_no_row_that_the_old_table_accepted_breaks_a_check_that_lint_passes(
    column: str,
    was: str,
    other: str,
    widened: bool,  # noqa: FBT001 - a parameter of the test
    values: list[object],
) -> None:
    now = f"({other}) OR ({was})" if widened else other
    statements = (
        f"CREATE TABLE u (id INTEGER PRIMARY KEY, {column}, CHECK ({now}))",
        "INSERT INTO u SELECT * FROM t",
        "DROP TABLE t",
        "ALTER TABLE u RENAME TO t",
    )
    made: list[MigrationFile] = [
        file("1_a.sql", statements=(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {column}, CHECK ({was}))",)),
        file("2_b.sql", statements=statements),
    ]
    (examined,) = examine(made, made[1:])
    tightens = "tightens-constraint" in {finding.rule for finding in examined.findings}
    assert not (widened and tightens)
    with closing(apsw.Connection(":memory:")) as db:
        db.execute(made[0].statements[0])
        for value in values:
            db.execute("INSERT OR IGNORE INTO t (c) VALUES (?)", (value,))
        try:
            for statement in statements:
                db.execute(statement)
        except apsw.ConstraintError:
            assert tightens
