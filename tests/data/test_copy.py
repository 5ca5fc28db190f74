"""A copy of a database holds what the database holds, to the last byte, and nothing is ever written to where it came from."""

import asyncio
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_infra.d1.database import BoundStatement, Row
from crane_infra.d1.errors import NoAnswerError, RateLimitedError, RefusedError
from crane_infra.data import partial
from crane_infra.data.copy import Limits, Watch, copy_database
from crane_infra.errors import DataError
from tests.data.any_database import EXAMPLES, AnyTable, databases, fill
from tests.data.d1_like import D1Like, dump
from tests.repository import ROOT

EVERYTHING = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, mail TEXT UNIQUE COLLATE NOCASE, note, size REAL, low TEXT AS (lower(mail)) STORED,
  double AS (size * 2), CHECK (length(mail) < 100));
CREATE TABLE plain (a, b BLOB);
CREATE TABLE keyed (a TEXT COLLATE NOCASE, b INTEGER, c, PRIMARY KEY (a, b DESC)) WITHOUT ROWID;
CREATE TABLE downwards (a, b TEXT, PRIMARY KEY (a DESC, b DESC)) WITHOUT ROWID;
CREATE TABLE backwards (id INTEGER PRIMARY KEY DESC, a);
CREATE TABLE tree (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES tree, owner REFERENCES users ON DELETE CASCADE);
CREATE TABLE rowid (rowid TEXT, oid, x);
CREATE TABLE docs (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
CREATE VIRTUAL TABLE found USING fts5(title, body, content='docs', content_rowid='id');
CREATE VIRTUAL TABLE own USING fts5(text, extra UNINDEXED);
CREATE VIRTUAL TABLE words USING fts5vocab('own', 'row');
CREATE TABLE log (what TEXT, at INTEGER) STRICT;
CREATE TRIGGER added AFTER INSERT ON docs BEGIN
  INSERT INTO found(rowid, title, body) VALUES (new.id, new.title, new.body); INSERT INTO log VALUES ('added', new.id);
END;
CREATE INDEX by_size ON users (size DESC) WHERE size > 1;
CREATE UNIQUE INDEX by_owner ON tree (owner, parent, id);
CREATE VIEW big AS SELECT * FROM users WHERE size > 10;
INSERT INTO users (id, mail, note, size) VALUES (1, 'A@x', 9223372036854775807, 1e308), (7, 'b@x', -9223372036854775808, -0.0),
  (8, 'ü' || char(0) || '''|', CAST(X'EDA080FF' AS TEXT), 0.1), (9, NULL, X'00FF', 9e999), (10, '', 9007199254740993, 5e-324), (11, '1', 1.0, 1);
INSERT INTO plain VALUES (1, 1), (1, 1), (NULL, X''), ('', 1.5), (zeroblob(900000), CAST(zeroblob(30000) AS TEXT)), (-9e999, zeroblob(5000));
INSERT INTO plain (rowid, a) VALUES (-9223372036854775808, 'first'), (9223372036854775807, 'last');
INSERT INTO keyed VALUES ('a', 1, 1), ('a', 2, 2), ('B', 9007199254740993, 3), ('c', -5, 4), ('c', 'text', NULL);
INSERT INTO downwards VALUES (1, 'x'), (1, 'y'), (X'00', 'z'), ('t', ''), (2.5, CAST(X'FF00' AS TEXT)), (0.1, 'q');
INSERT INTO backwards VALUES (3, 'x'), (1, 'y'), (NULL, 'z'), (NULL, 'zz');
INSERT INTO tree VALUES (1, 3, 1), (2, 1, 7), (3, 2, 9);
INSERT INTO rowid VALUES ('x', 1, 2), ('x', 1, 2);
INSERT INTO docs VALUES (5, 'green apples', 'of the tree'), (6, 'red', 'apples');
INSERT INTO own (rowid, text, extra) VALUES (-4, 'some words', 1), (12, 'other words', X'01'), (13, NULL, NULL);
DELETE FROM users WHERE id = 11;
"""


PLACES = """
CREATE VIRTUAL TABLE places USING rtree(id, x0, x1, +label);
INSERT INTO places VALUES (1, 0.1, 0.7, 'p'), (900, -3, 3, NULL);
"""


def source_with(tmp_path: Path, sql: str) -> D1Like:
    """A database with this in it."""
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(sql)
    return source


def source_with_fresh(tmp_path: Path, sql: str) -> Path:
    """The path of another database with this in it."""
    path = tmp_path / "fresh.sqlite"
    with apsw.Connection(str(path)) as db:
        db.execute(sql)
    return path


def at(call: int | None, source: D1Like, sql: str) -> Callable[[int], None]:
    """Somebody who runs SQL before one call, or before each."""

    def run(number: int) -> None:
        if call in {None, number}:
            source.db.execute(sql.replace("{number}", str(number)))

    return run


@pytest.mark.parametrize("rows", [1, 2, 500])
async def test_everything_that_a_database_may_hold_is_in_its_copy(tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crane_infra.data.pages.MOST_ROWS", rows)
    source = source_with(tmp_path, EVERYTHING + PLACES)
    copied = await copy_database(source, tmp_path / "copy.sqlite")
    assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")
    assert {table.name: table.rows for table in copied.tables} == {
        "backwards": 4,
        "docs": 2,
        "downwards": 6,
        "keyed": 5,
        "log": 2,
        "own": 3,
        "places": 2,
        "plain": 8,
        "rowid": 2,
        "tree": 3,
        "users": 5,
    }
    assert (copied.unsettled, copied.left_out, bool(copied.bookmark)) == ((), (), True)
    with apsw.Connection(str(tmp_path / "copy.sqlite")) as db:
        assert db.execute("SELECT rowid FROM found('apples') ORDER BY 1").fetchall() == [(5,), (6,)]
        assert db.execute("SELECT seq FROM sqlite_sequence").fetchall() == [(11,)]
        db.execute("INSERT INTO docs VALUES (7, 'new', 'apples')")
        assert db.execute("SELECT COUNT(*) FROM found('apples')").fetchall() == [(3,)]


LOST = "CREATE VIRTUAL TABLE lost USING fts5(x, content=''); INSERT INTO lost VALUES ('word');"
MANY = """
CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, n);
CREATE TABLE codes (k TEXT PRIMARY KEY, n) WITHOUT ROWID;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) INSERT INTO t SELECT i, 'm' || i, i * 1.5 FROM c;
INSERT INTO codes SELECT mail, n FROM t WHERE id % 4 = 0;
"""


class TestSomebodyElseWrites:
    """A table that changed meanwhile is read again, and is named where it keeps changing."""

    @pytest.mark.parametrize("call", range(3, 22, 3))
    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE t SET n = n + 1 WHERE id IN (1, 1999)",
            "DELETE FROM t WHERE id IN (3, 1500)",
            "INSERT INTO t VALUES (-5, 'new', 1), (9999, 'newer', 2); DELETE FROM codes WHERE k = 'm1600'",
            "UPDATE t SET mail = 'gone' WHERE id = 1900; UPDATE t SET mail = 'm1900' WHERE id = 5",
            "DELETE FROM codes",
            "DELETE FROM t WHERE id > 400",
        ],
    )
    async def test_one_write_at_any_call_and_the_copy_is_of_one_moment(self, tmp_path: Path, change: str, call: int) -> None:
        source = source_with(tmp_path, MANY)
        source.meanwhile = at(call, source, change)
        copied = await copy_database(source, tmp_path / "copy.sqlite")
        assert (copied.unsettled, bool(copied.bookmark)) == ((), True)
        assert dump(tmp_path / "copy.sqlite") in (dump(tmp_path / "source.sqlite"), dump(source_with_fresh(tmp_path, MANY)))

    async def test_a_table_that_changes_at_each_call_is_named(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY)
        source.meanwhile = at(None, source, "UPDATE t SET n = n + 1 WHERE id = 7")
        copied = await copy_database(source, tmp_path / "copy.sqlite")
        assert (copied.unsettled, copied.bookmark) == (("t",), None)
        assert copied.rows == 2500

    async def test_a_table_that_is_added_meanwhile_is_copied_too(self, tmp_path: Path) -> None:
        source, said = source_with(tmp_path, MANY), list[str]()
        source.meanwhile = at(9, source, "CREATE TABLE late AS SELECT 1 AS x")
        await copy_database(source, tmp_path / "copy.sqlite", watch=Watch(said.append))
        assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")
        assert "the schema of crane-test changed while it was copied; the copy begins again" in said

    async def test_a_schema_that_keeps_changing_ends_the_copy(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY)
        source.meanwhile = at(None, source, "CREATE TABLE late{number} (x)")
        with pytest.raises(DataError, match="its schema keeps changing while it is copied"):
            await copy_database(source, tmp_path / "copy.sqlite")


class TestSomethingFails:
    """A copy that ends early goes on where it stopped, and ends like one that nothing happened to."""

    @pytest.mark.parametrize("first", range(16))
    async def test_the_connection_drops_at_any_call(self, tmp_path: Path, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crane_infra.data.pages.MOST_ROWS", 40)
        source, drops = source_with(tmp_path, EVERYTHING + MANY), list[int]()

        def drop(number: int) -> None:
            if number >= first and (number - first) % 17 == 0 and number not in drops:
                drops.append(number)
                raise NoAnswerError("D1 database crane-test", "the connection broke", "Try again")

        source.meanwhile = drop
        for _ in range(40):
            with suppress(NoAnswerError):
                await copy_database(source, tmp_path / "copy.sqlite")
                break
        assert len(drops) > 5
        assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")
        assert sum("AS line" in call for call in source.calls) < 150, "it begins again"
        assert not (tmp_path / "copy.sqlite.part").exists()

    async def test_a_rate_limit_is_waited_out_and_one_that_lasts_ends_the_copy(self, tmp_path: Path) -> None:
        source, waits, said = source_with(tmp_path, MANY), list[float](), list[str]()

        def limit(number: int) -> None:
            if number == 6 and len(waits) < 3:
                raise RateLimitedError("D1 database crane-test", "too many calls", "Wait", 300.0)

        async def pause(seconds: float) -> None:
            waits.append(seconds)

        source.meanwhile = limit
        copied = await copy_database(source, tmp_path / "copy.sqlite", watch=Watch(said.append, pause=pause))
        assert (waits, copied.rows) == ([300.0] * 3, 2500)
        assert said.count("crane-test: Cloudflare limits the calls of this token; goes on in 300 s") == 3
        source.meanwhile = lambda _: (_ for _ in ()).throw(RateLimitedError("D1 database crane-test", "too many calls", "Wait", 3600.0))
        with pytest.raises(RateLimitedError):
            await copy_database(source, tmp_path / "other.sqlite", watch=Watch(pause=pause))

    async def test_pages_that_are_too_much_for_the_api_become_shorter(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY)
        answer = source.select

        async def select(statements: Sequence[BoundStatement]) -> list[list[Row]]:
            if "AS line" in statements[0].sql and int(statements[0].sql.rpartition("LIMIT ")[2]) > 60:
                raise RefusedError("D1 database crane-test", "out of memory", "Try again")
            return await answer(statements)

        source.select = select  # type: ignore[method-assign]
        await copy_database(source, tmp_path / "copy.sqlite")
        assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")

    async def test_an_answer_that_lost_its_rows_is_not_the_end_of_a_table(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY)

        async def select(statements: Sequence[BoundStatement]) -> list[list[Row]]:
            return [[] for _ in statements]

        source.select = select  # type: ignore[method-assign]
        with pytest.raises(DataError, match="an answer has no rows, and rows are there"):
            await copy_database(source, tmp_path / "copy.sqlite")

    @pytest.mark.parametrize("moment", ["page", "end"])
    def test_a_copy_that_is_killed_goes_on_where_it_stopped(self, tmp_path: Path, moment: str) -> None:
        source = source_with(tmp_path, MANY)
        program = f"""
import asyncio, os
from pathlib import Path
from crane_infra.data import copy, partial
from tests.data.any_database import AnyTable, databases, fill
from tests.data.d1_like import D1Like
folder = Path({str(tmp_path)!r})
def end(*_):
    os.kill(os.getpid(), 9)
if {moment!r} == "page":
    watch = copy.Watch(progress=lambda progress: end() if progress.rows > 600 else None)
else:
    watch, partial.PartialCopy.finish = copy.Watch(), end
asyncio.run(copy.copy_database(D1Like(folder / "source.sqlite"), folder / "copy.sqlite", watch=watch))
"""
        ended = subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (-9, "")
        assert not (tmp_path / "copy.sqlite").exists()
        said = list[str]()
        asyncio.run(copy_database(source, tmp_path / "copy.sqlite", watch=Watch(said.append)))
        assert any("goes on after" in line for line in said)
        assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")
        assert sum("LIMIT 500" in call for call in source.calls) < 2, "it read the first page again"

    async def test_a_full_disk_is_one_line_and_the_copy_goes_on_afterwards(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY)
        opened = partial._opened

        def small(path: Path) -> apsw.Connection:
            db = opened(path)
            db.execute("PRAGMA max_page_count = 20").fetchall()
            return db

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(partial, "_opened", small)
            with pytest.raises(DataError, match=r"copy\.sqlite\.part: the disk is full\. Free some space, then run the same command again"):
                await copy_database(source, tmp_path / "copy.sqlite")
        await copy_database(source, tmp_path / "copy.sqlite")
        assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")

    async def test_the_unfinished_copy_of_another_schema_is_not_gone_on_with(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY)
        with pytest.raises(DataError):
            await copy_database(source, tmp_path / "copy.sqlite", limits=Limits(rows=2400))
        source.db.execute("ALTER TABLE t ADD COLUMN more DEFAULT 5")
        await copy_database(source, tmp_path / "copy.sqlite")
        assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")


class TestBeforeItBegins:
    async def test_it_says_how_many_rows_it_reads_and_refuses_more_than_it_may(self, tmp_path: Path) -> None:
        source, said = source_with(tmp_path, MANY), list[str]()
        await copy_database(source, tmp_path / "copy.sqlite", watch=Watch(said.append))
        expected = (
            "reads at most 2,500 rows of 2 tables (500 more were read to count them): less than 1% of what the free plan reads in a day"
        )
        assert said == [f"crane-test: a copy {expected}"]
        source.calls.clear()
        with pytest.raises(DataError, match=f"a copy {expected[:30]}.*, and at most 2,499 rows may be read".replace("(", r"\(")):
            await copy_database(source, tmp_path / "other.sqlite", limits=Limits(rows=2499))
        assert not any("AS line" in call for call in source.calls)

    async def test_a_file_that_is_there_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "copy.sqlite").write_text("mine")
        with pytest.raises(DataError, match="it is there already"):
            await copy_database(source_with(tmp_path, MANY), tmp_path / "copy.sqlite")
        assert (tmp_path / "copy.sqlite").read_text() == "mine"

    async def test_nobody_else_may_read_the_file(self, tmp_path: Path) -> None:
        await copy_database(source_with(tmp_path, MANY), tmp_path / "copy.sqlite")
        assert (tmp_path / "copy.sqlite").stat().st_mode & 0o077 == 0

    async def test_tables_are_left_out_on_request_and_texts_that_nobody_keeps_are_named(self, tmp_path: Path) -> None:
        source = source_with(tmp_path, MANY + LOST)
        copied = await copy_database(source, tmp_path / "copy.sqlite", skip=["CODES"])
        assert (copied.left_out, copied.rows) == (("codes", "lost"), 2000)


async def test_a_key_of_several_long_values_is_refused_in_one_line(tmp_path: Path) -> None:
    sql = "CREATE TABLE t (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO t VALUES (long, long), ('', '')"
    source = source_with(tmp_path, sql.replace("long", "CAST(zeroblob(19000) AS TEXT)"))
    what = r"^database crane-test, table t: the key of a row is too long to page by: D1 takes 100,000 bytes in a statement\. Give the table"
    with pytest.raises(DataError, match=what):
        await copy_database(source, tmp_path / "copy.sqlite")


async def test_memory_does_not_grow_with_the_database(tmp_path: Path) -> None:
    source = source_with(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    fill = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) INSERT INTO t (a, b) SELECT randomblob(100000), i FROM c"
    source.db.execute(fill)
    tracemalloc.start()
    await copy_database(source, tmp_path / "copy.sqlite")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25_000_000
    assert (tmp_path / "copy.sqlite").stat().st_size > 30_000_000


async def test_a_key_may_be_called_as_the_line_of_a_row_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite sorts by the name of a result before it sorts by that of a column."""
    monkeypatch.setattr("crane_infra.data.pages.MOST_ROWS", 5)
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(
        "CREATE TABLE t (line INTEGER PRIMARY KEY, a); INSERT INTO t SELECT value, 'a' FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,100]')"
    )
    await copy_database(source, tmp_path / "copy.sqlite")
    assert dump(tmp_path / "copy.sqlite") == dump(tmp_path / "source.sqlite")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(databases(), st.sampled_from([1, 2, 500]))
def test_a_copy_of_any_database_is_equal_to_the_last_byte(tables: list[AnyTable], rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("crane_infra.data.pages.MOST_ROWS", rows)
        source = D1Like(Path(folder) / "source.sqlite")
        fill(source.db, tables)
        asyncio.run(copy_database(source, Path(folder) / "copy.sqlite"))
        assert dump(Path(folder) / "copy.sqlite") == dump(Path(folder) / "source.sqlite")
