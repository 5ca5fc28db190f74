"""The SQL of a refresh puts exactly the rows of the copy in place of the old ones, in one transaction with foreign keys on."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from crane_infra.data.refresh.sql import replacing_statements
from crane_infra.errors import DataError
from crane_infra.migrations.files.split import LONGEST_STATEMENT, split_statements
from tests.data.scrub.files import made, rows

SCHEMA = """
CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, best INTEGER REFERENCES children (id), name TEXT UNIQUE COLLATE NOCASE);
CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE,
  before INTEGER REFERENCES children (id) ON DELETE RESTRICT, double INTEGER AS (id * 2), size INTEGER AS (length(id)) STORED);
CREATE TABLE pairs (a TEXT, b INT, v BLOB, PRIMARY KEY (b, a)) WITHOUT ROWID;
CREATE TABLE loose (x, rowid_ TEXT);
CREATE TABLE hidden (rowid TEXT, x);
CREATE TABLE log (what TEXT);
CREATE INDEX loose_by_x ON loose (x);
CREATE VIRTUAL TABLE own USING fts5(title, body);
CREATE VIRTUAL TABLE outer USING fts5(x, content='loose', content_rowid='rowid');
CREATE VIRTUAL TABLE bare USING fts5(x, content='');
CREATE TRIGGER logs AFTER INSERT ON parents BEGIN INSERT INTO log VALUES ('parent; ' || new.id); END;
CREATE TRIGGER loose_added AFTER INSERT ON loose BEGIN INSERT INTO outer (rowid, x) VALUES (new.rowid, new.x); END;
CREATE TRIGGER loose_gone AFTER DELETE ON loose BEGIN INSERT INTO outer (outer, rowid, x) VALUES ('delete', old.rowid, old.x); END;
"""
OLD = """
INSERT INTO parents (id, name) VALUES (1, 'old'), (99, 'Ann'); INSERT INTO children (id, parent, before) VALUES (1, 1, NULL), (2, 1, 1), (3, 99, 2);
UPDATE parents SET best = 2 WHERE id = 1; INSERT INTO loose VALUES ('old words', 'x'); INSERT INTO own VALUES ('old title', 'old body');
"""
NEW = """
BEGIN; PRAGMA defer_foreign_keys = ON;
INSERT INTO parents VALUES (7, 8, 'ann'), (5, NULL, NULL), (9007199254740993, NULL, 'it''s; -- "so" ?');
INSERT INTO children (id, parent, before) VALUES (8, 7, 9), (9, 7, 8), (10, 5, 10); COMMIT;
INSERT INTO pairs VALUES ('', -9223372036854775808, x'00ff'), ('k', 9223372036854775807, zeroblob(95000)), ('l', 1, CAST(zeroblob(70000) || x'41' AS BLOB));
INSERT INTO loose (rowid, x, rowid_) VALUES (40, 'zebra crossing', CAST(x'61ff00ed' AS TEXT)), (3, 1.5, NULL), (4, 9e999, '12'), (5, 0.1, 'é'), (6, 12, '');
INSERT INTO loose (rowid, x) SELECT 50 + value, replace(hex(zeroblob(30000)), '0', 'é' || value) FROM json_each('[1, 2]');
INSERT INTO hidden VALUES ('a', 1), ('a', 1); DELETE FROM log; INSERT INTO log VALUES ('kept by production');
INSERT INTO own (rowid, title, body) VALUES (5, 'new title', replace(hex(zeroblob(30000)), '00', 'word '));
"""
LONG_KEY, LONG = "CAST(zeroblob(20000) AS TEXT)", "zeroblob(70000)"
TABLES = ("parents", "children", "pairs", "loose", "hidden", "log", "own")


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row, with its row id where it has one, type and bytes of each value."""
    contents = {}
    for table in TABLES:
        names = [name for (name,) in rows(path, f"SELECT name FROM pragma_table_xinfo('{table}') WHERE hidden != 1")]  # noqa: S608
        key = [] if table in ("pairs", "hidden") else ["rowid"]
        cells = [cell for name in [*key, *map(str, names)] for cell in (f"typeof({name})", f"hex({name})")]
        contents[table] = sorted(rows(path, f"SELECT {', '.join(cells)} FROM {table}"))  # noqa: S608
    return contents


def triggers(path: Path) -> list[tuple[str, str]]:
    return [
        (str(name), str(text)) for name, text in rows(path, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid")
    ]


def applied(path: Path, statements: Sequence[str]) -> None:
    """Run the statements as D1 runs an import."""
    with closing(apsw.Connection(str(path))) as db:
        db.execute("PRAGMA foreign_keys = ON")
        with db:
            for statement in statements:
                db.execute(statement).fetchall()


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy, and the database whose rows it replaced."""
    folder = tmp_path_factory.mktemp("ends")
    copy, target = made(folder / "copy.sqlite", SCHEMA + NEW), made(folder / "target.sqlite", SCHEMA + OLD)
    statements = list(replacing_statements(copy, triggers(target), [], ["UPDATE log SET what = what"]))
    assert split_statements("".join(f"{statement};\n" for statement in statements)) == (tuple(statements), "")
    assert max(len(statement.encode()) for statement in statements) <= LONGEST_STATEMENT
    applied(target, statements)
    return copy, target


def test_every_row_is_the_copys_to_the_last_byte(ends: tuple[Path, Path]) -> None:
    copy, target = ends
    assert content(target) == content(copy)
    assert [len(listed) for listed in content(target).values()] == [3, 3, 3, 7, 2, 1, 1]
    assert rows(target, "PRAGMA foreign_key_check") == []
    assert rows(target, "PRAGMA integrity_check") == [("ok",)]


def test_the_schema_stays_as_it_was_with_its_triggers(ends: tuple[Path, Path]) -> None:
    copy, target = ends
    objects = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1, 2"
    assert rows(target, objects) == rows(copy, objects)
    assert len(triggers(target)) == 3


def test_full_text_finds_the_new_rows_and_no_old_ones(ends: tuple[Path, Path]) -> None:
    _, target = ends
    queries = ("outer('zebra')", "outer('old')", "own('new')")
    found = [rows(target, f"SELECT COUNT(*) FROM {query}") for query in queries]  # noqa: S608
    assert found == [[(1,)], [(0,)], [(1,)]]
    applied(target, ["INSERT INTO loose VALUES ('afterwards', '')"])
    assert rows(target, "SELECT COUNT(*) FROM outer('afterwards')") == [(1,)]


def test_a_long_key_leaves_shorter_parts_for_the_other_values(tmp_path: Path) -> None:
    rows_of = "CREATE TABLE t (k TEXT PRIMARY KEY, a BLOB, b BLOB) WITHOUT ROWID; INSERT INTO t VALUES "
    statements = list(replacing_statements(made(tmp_path / "copy.sqlite", f"{rows_of} ({LONG_KEY}, {LONG}, {LONG})"), [], [], []))
    assert max(len(statement.encode()) for statement in statements) < LONGEST_STATEMENT
    target = made(tmp_path / "target.sqlite", rows_of.partition(";")[0])
    applied(target, statements)
    assert rows(target, "SELECT * FROM t") == rows(tmp_path / "copy.sqlite", "SELECT * FROM t")


def test_a_key_that_fills_a_statement_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    sql = f"CREATE TABLE t (a, b, c, v, PRIMARY KEY (a, b, c)) WITHOUT ROWID; INSERT INTO t VALUES ({LONG_KEY}, {LONG_KEY}, {LONG_KEY}, 1)"  # noqa: S608
    with pytest.raises(
        DataError, match=r"^table t: the key of a row leaves no room in a statement, of which D1 takes 100,000 bytes\. Give"
    ):
        list(replacing_statements(made(tmp_path / "copy.sqlite", sql), [], [], []))


def test_no_statement_has_more_rows_than_d1_runs_in_one_program(tmp_path: Path) -> None:
    """D1 stops a statement after 25,000 steps, and each row takes at least one for each of its cells."""
    many = "INSERT INTO log SELECT 'x' FROM json_each('[' || rtrim(replace(hex(zeroblob(10000)), '00', '1,'), ',') || ']');"
    statements = list(replacing_statements(made(tmp_path / "copy.sqlite", "CREATE TABLE log (what TEXT);" + many), [], [], []))
    counts = [statement.count("),(") + 1 for statement in statements if statement.startswith("INSERT")]
    assert sum(counts) == 10_000
    assert max(counts) * len(("rowid", "what")) < 25_000 / 3
