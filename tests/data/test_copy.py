"""A copy of a database holds what the database holds, to the last byte, and nothing is ever written to where it came from."""

from pathlib import Path

import apsw
import pytest

from crane_infra.data.copy import copy_database
from tests.data.d1_like import D1Like, dump

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
CREATE VIRTUAL TABLE places USING rtree(id, x0, x1, +label);
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
INSERT INTO plain VALUES (1, 1), (1, 1), (NULL, X''), ('', 1.5), (zeroblob(900000), CAST(zeroblob(30000) AS TEXT)), (-9e999, randomblob(5000));
INSERT INTO plain (rowid, a) VALUES (-9223372036854775808, 'first'), (9223372036854775807, 'last');
INSERT INTO keyed VALUES ('a', 1, 1), ('a', 2, 2), ('B', 9007199254740993, 3), ('c', -5, 4), ('c', 'text', NULL);
INSERT INTO downwards VALUES (1, 'x'), (1, 'y'), (X'00', 'z'), ('t', ''), (2.5, CAST(X'FF00' AS TEXT)), (0.1, 'q');
INSERT INTO backwards VALUES (3, 'x'), (1, 'y'), (NULL, 'z'), (NULL, 'zz');
INSERT INTO tree VALUES (1, 3, 1), (2, 1, 7), (3, 2, 404);
INSERT INTO rowid VALUES ('x', 1, 2), ('x', 1, 2);
INSERT INTO docs VALUES (5, 'green apples', 'of the tree'), (6, 'red', 'apples');
INSERT INTO own (rowid, text, extra) VALUES (-4, 'some words', 1), (12, 'other words', X'01'), (13, NULL, NULL);
INSERT INTO places VALUES (1, 0.1, 0.7, 'p'), (900, -3, 3, NULL);
DELETE FROM users WHERE id = 11;
"""


def source_with(tmp_path: Path, sql: str) -> D1Like:
    """A database with this in it."""
    source = D1Like(tmp_path / "source.sqlite")
    source.db.execute(sql)
    return source


@pytest.mark.parametrize("rows", [1, 2, 500])
async def test_everything_that_a_database_may_hold_is_in_its_copy(tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crane_infra.data.pages.MOST_ROWS", rows)
    source = source_with(tmp_path, EVERYTHING)
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
