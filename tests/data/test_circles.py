"""A table that refers to itself is emptied and filled in steps that grow with its rows, not with their square."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from crane_infra.data.backup.sql import BEGIN, dropping_statements, restoring_statements
from crane_infra.data.circles import passing_indexes
from crane_infra.data.copy import read_schema
from crane_infra.data.refresh.sql import replacing_statements
from crane_infra.data.source import LocalSource
from tests.data.scrub.files import made, rows

TREE = "CREATE TABLE docs (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES docs (id), next INTEGER REFERENCES pages (id));"
PAGES = "CREATE TABLE pages (id INTEGER PRIMARY KEY, doc INTEGER NOT NULL REFERENCES docs (id));"
EACH = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {})"
FILLED = "PRAGMA foreign_keys = OFF; {each} INSERT INTO docs SELECT i, nullif(i % {count} + 1, 1), i FROM n; {each} INSERT INTO pages SELECT i, i FROM n;"
MANY = 3_000
STEPS = 400 * MANY
"""Far more than SQLite takes with an index, and far less than the nine million rows that it would read without one."""


def tree(path: Path, count: int = MANY) -> Path:
    """Documents whose parent is the next one, and pages, each of one document."""
    return made(path, TREE + PAGES + FILLED.format(each=EACH.format(count), count=count))


def steps_of(path: Path, statements: Iterable[str]) -> int:
    """How many steps the statements take as one transaction with foreign keys on."""
    hundreds = 0

    def count() -> bool:
        nonlocal hundreds
        hundreds += 1
        return False

    with closing(apsw.Connection(str(path))) as db:
        db.execute("PRAGMA foreign_keys = ON")
        with db:
            db.set_progress_handler(count, 100)
            for statement in statements:
                db.execute(statement).fetchall()
            db.set_progress_handler(None)
    return hundreds * 100


def content(path: Path) -> Sequence[object]:
    tables = [rows(path, f"SELECT * FROM {table} ORDER BY 1") for table in ("docs", "pages")]  # noqa: S608
    return [*tables, rows(path, "SELECT name, sql FROM sqlite_schema ORDER BY 1")]


def test_a_refresh_of_a_full_database_does_so(tmp_path: Path) -> None:
    copy, target = tree(tmp_path / "copy.sqlite"), tree(tmp_path / "target.sqlite", MANY - 1)
    assert steps_of(target, replacing_statements(copy, [], [], [])) < STEPS
    assert content(target) == content(copy)


async def test_a_restore_into_a_full_database_does_so(tmp_path: Path) -> None:
    backup, target = tree(tmp_path / "backup.sqlite"), tree(tmp_path / "target.sqlite", MANY - 1)
    with closing(apsw.Connection(str(backup))) as db, closing(apsw.Connection(str(target))) as full:
        dropping = dropping_statements(full, await read_schema(LocalSource(full, "target")), "target")
        statements = [*BEGIN, *dropping, *[statement async for statement in restoring_statements(db, "backup")]]
    assert steps_of(target, statements) < STEPS
    assert content(target) == content(backup)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("", ["docs", "docs"]),
        ("CREATE INDEX a ON docs (parent, id)", ["docs"]),
        ("CREATE INDEX a ON docs (id, parent)", ["docs", "docs"]),
        ("CREATE INDEX a ON docs (parent) WHERE id > 7", ["docs", "docs"]),
        ("CREATE INDEX a ON docs (lower(parent))", ["docs", "docs"]),
    ],
)
def test_only_what_has_no_index_gets_one(index: str, expected: list[str]) -> None:
    with closing(apsw.Connection(":memory:")) as db:
        db.execute(f"{TREE}{PAGES}{index}")
        assert [each.table for each in passing_indexes(db, ["docs", "pages"], own_count=True)] == expected
        assert [each.table for each in passing_indexes(db, ["docs", "pages"], own_count=False)] == ["docs", "docs"]
