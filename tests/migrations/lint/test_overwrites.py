"""Lint finds rows that a migration writes over, and the run counts them."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.migrations.files.header import Header
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.lint.judge import accepting, examine
from crane_infra.migrations.own_tables import CREATE
from crane_infra.migrations.requests import apply_request, as_file, loss_in
from tests.migrations.builders import file, write_files
from tests.migrations.lint.linting import Lint, errors, rules

NOTES = "CREATE TABLE s (id TEXT PRIMARY KEY, name TEXT UNIQUE);"
OVERWRITING = [
    "INSERT OR REPLACE INTO s VALUES ('x', 'b');",
    "REPLACE INTO s VALUES ('y', 'a');",
    "WITH new (id) AS (SELECT 'x') INSERT OR REPLACE INTO s SELECT id, 'b' FROM new;",
    "INSERT INTO s VALUES ('x', 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name;",
    "UPDATE OR REPLACE s SET name = 'a' WHERE id = 'z';",
]
OVERWRITES = [("overwrites-rows", 1)]


@pytest.mark.parametrize("text", OVERWRITING)
def test_overwriting_rows_is_an_error_until_it_is_declared(judge: Lint, text: str) -> None:
    assert rules(judge(text, before=NOTES)) == OVERWRITES
    assert rules(judge("-- crane: overwrites-rows S\n" + text, before=NOTES)) == []


def test_the_text_names_the_table_and_the_ways_on(judge: Lint) -> None:
    (finding,) = judge(OVERWRITING[0], before=NOTES)
    assert finding.what == "REPLACE deletes each row of s that has the same key or unique value, with all its columns"
    assert finding.todo == "Write ON CONFLICT DO NOTHING to keep them; if they may be overwritten, declare -- crane: overwrites-rows s"


@pytest.mark.parametrize("text", ["INSERT INTO s VALUES ('x', 'b');", "INSERT OR REPLACE INTO s VALUES ('x', 'b');"])
def test_a_table_that_resolves_conflicts_with_replace_is_seen(judge: Lint, text: str) -> None:
    before = "CREATE TABLE s (id TEXT PRIMARY KEY ON CONFLICT REPLACE, name TEXT);"
    assert errors(judge(text, before=before)) == OVERWRITES
    assert errors(judge("INSERT OR IGNORE INTO s VALUES ('x', 'b');", before=before)) == []


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO s VALUES ('x', 'b') ON CONFLICT DO NOTHING;",
        "INSERT OR IGNORE INTO s VALUES ('x', 'b');",
        "INSERT INTO s VALUES ('x', replace('b', 'b', 'c'));",
        "UPDATE s SET name = replace(name, 'a', 'b') WHERE id = 'x';",
        "INSERT INTO s VALUES ('x', 'INSERT OR REPLACE');",
        "CREATE TABLE plain (a); INSERT OR REPLACE INTO plain VALUES (1);",
        "DELETE FROM s WHERE true; INSERT OR REPLACE INTO s VALUES ('x', 'b');",
    ],
)
def test_what_cannot_overwrite_is_no_finding(judge: Lint, text: str) -> None:
    assert errors(judge(text, before=NOTES)) == []


def test_rows_that_the_pending_files_wrote_are_nobodys(judge: Lint) -> None:
    assert errors(judge(NOTES + "INSERT INTO s VALUES ('x', 'a');", OVERWRITING[0], before="SELECT 1;")) == []


@pytest.mark.parametrize("copied", ["id, name FROM s WHERE id > ''", "* FROM s", '* FROM main."S"'])
def test_a_copy_of_rows_is_not_nobodys(judge: Lint, copied: str) -> None:
    text = f"CREATE TABLE t (id TEXT PRIMARY KEY, name TEXT UNIQUE); INSERT INTO t SELECT {copied}; REPLACE INTO t VALUES ('x', 'b');"
    assert errors(judge(text, before=NOTES)) == [("overwrites-rows", 3)]


def test_a_declaration_without_an_overwrite_is_told(judge: Lint) -> None:
    assert rules(judge("-- crane: overwrites-rows s\nINSERT INTO s VALUES ('x', 'b');", before=NOTES)) == [
        ("needless-overwrites-rows", None)
    ]


# The run counts what is overwritten


def apply(made: Sequence[str], text: str, header: Header | None = None, *, accept: Sequence[str] = (), by_import: bool = False) -> int:
    """How many rows a file overwrites according to the counts of its request; raises where the request refuses the loss."""
    first, last = file("0001_a.sql", statements=(NOTES,)), file("0002_b.sql", statements=(text,))
    last = MigrationFile(last.number, last.name, last.path, last.sha256, last.statements, header or Header())
    (examined,) = accepting(examine([first, last], [last]), {last.name: accept})
    with closing(apsw.Connection(":memory:")) as db:
        for statement in (*CREATE, NOTES, *made):
            db.execute(statement)
        request = apply_request(last, examined.counts, token="t", release="r", bookmark="b", listed=0)
        if by_import:
            db.execute(as_file(request))
        for sent in () if by_import else request:
            db.execute(sent.sql, sent.params)
        return int(db.execute("SELECT TOTAL(before - after) FROM crane_rows").get)


ROW = st.tuples(st.sampled_from("xyz"), st.sampled_from("abc"))


@given(before=st.lists(ROW, max_size=3), written=ROW, upsert=st.booleans(), by_import=st.booleans())
def test_what_the_run_counts_is_what_sqlite_overwrites(
    before: list[tuple[str, str]],
    written: tuple[str, str],
    upsert: bool,  # noqa: FBT001 - a parameter of the test
    by_import: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    made = [f"INSERT OR IGNORE INTO s VALUES ('{key}', '{name}')" for key, name in before]
    key, name = written
    how = ("INTO", " ON CONFLICT DO UPDATE SET name = name || '!'") if upsert else ("OR REPLACE INTO", "")
    text = f"INSERT {how[0]} s VALUES ('{key}', '{name}'){how[1]}"
    with closing(apsw.Connection(":memory:")) as db:
        for statement in (NOTES, *made):
            db.execute(statement)
        rows = set(db.execute("SELECT id, name FROM s").fetchall())
    hit = sum(row[0] == key or row[1] == name for row in rows)
    lost = min(hit, 1) if upsert else hit
    assert apply(made, text, Header(overwrites_rows=frozenset({"s"})), by_import=by_import) == lost


def test_an_update_or_replace_is_counted_by_the_rows_that_go() -> None:
    made = ["INSERT INTO s VALUES ('x', 'a'), ('z', 'c')"]
    assert apply(made, OVERWRITING[-1], Header(overwrites_rows=frozenset({"s"}))) == 1


def test_accepting_the_finding_accepts_the_count_too() -> None:
    made = ["INSERT INTO s VALUES ('x', 'a')"]
    assert apply(made, OVERWRITING[0], accept=["overwrites-rows"]) == 1
    with pytest.raises(apsw.SQLError) as caught:
        apply(made, OVERWRITING[0], accept=["loses-rows"])
    assert loss_in(str(caught.value)) == "1 of 1 rows of s (overwritten by statement 1)"


def test_a_header_names_the_tables(tmp_path: Path) -> None:
    (made,) = write_files(tmp_path / "files", {"0001_a.sql": "-- crane: overwrites-rows A, b\nSELECT 1;"})
    assert made.header == Header(overwrites_rows=frozenset({"a", "b"}))
