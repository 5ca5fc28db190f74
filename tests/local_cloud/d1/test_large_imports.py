"""A large import runs outside workerd, and is as every other one: all or nothing, D1's refusals, statements exactly as they are written."""

import hashlib
import threading
from contextlib import closing
from pathlib import Path

import apsw
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.d1 import split_sql
from local_cloud.d1.large_import import LARGE, LargeImportError, import_large
from local_cloud.d1.split_sql import split, split_file
from local_cloud.faults.client import Faults
from tests.cloud import Api
from tests.local_cloud.d1.test_imports import TRIGGER, call, finished

QUOTED = ("';'", '"a;b"', "`;`", "[;]", "''", "'")
PIECES = (*QUOTED, "-- ; x\n", "/* ; ", "*/", ";", "\n", "x", "é", "CREATE TRIGGER t BEGIN SELECT 1", "; END", " ")


@pytest.fixture
def live(tmp_path: Path) -> Path:
    with closing(apsw.Connection(str(tmp_path / "live.sqlite"))) as db:
        for sql in (
            "PRAGMA journal_mode = WAL",
            "CREATE TABLE p (id PRIMARY KEY)",
            "CREATE TABLE c (p REFERENCES p (id))",
            "CREATE TABLE _cf_KV (a)",
        ):
            db.execute(sql).fetchall()
    return tmp_path / "live.sqlite"


def run(live: Path, text: str | bytes, *, stopped: bool = False) -> list[bytes]:
    file, stop = live.with_name("file.sql"), threading.Event()
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    if stopped:
        stop.set()
    return import_large(live, file, stop).digests


def rows(live: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(live))) as db:
        return list(db.execute(sql))


def test_foreign_keys_hold_at_the_end_of_the_file(live: Path) -> None:
    text = "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES ('é;'); INSERT INTO p VALUES ('é;');"
    assert len(run(live, text)) == 3
    assert rows(live, "SELECT * FROM c") == [("é;",)]
    with pytest.raises(LargeImportError, match="FOREIGN KEY constraint failed: SQLITE_CONSTRAINT"):
        run(live, "PRAGMA defer_foreign_keys = ON; DELETE FROM p; INSERT INTO c VALUES (2);")
    assert rows(live, "SELECT * FROM c, p") == [("é;", "é;")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("INSERT INTO nope VALUES (1);", "no such table: nope: SQLITE_ERROR"),
        ("COMMIT;", "not authorized: SQLITE_AUTH"),
        ("ATTACH 'x' AS y;", "not authorized: SQLITE_AUTH"),
        ("PRAGMA writable_schema = 1;", "not authorized: SQLITE_AUTH"),
        ("PRAGMA miniflare_d1_export(?,?,?);", "not authorized: SQLITE_AUTH"),
        ("DELETE FROM _cf_KV;", "not authorized: SQLITE_AUTH"),
        (f"SELECT '{'x' * 100_000}';", "statement too long: SQLITE_TOOBIG"),
        (b"SELECT '\xff';", "The file is not UTF-8 text"),
    ],
)
def test_what_d1_refuses_is_refused_and_nothing_of_the_file_stays(live: Path, text: str | bytes, error: str) -> None:
    begun = b"INSERT INTO p VALUES (7);"
    with pytest.raises(LargeImportError, match=error):
        run(live, begun + (text.encode() if isinstance(text, str) else text))
    assert rows(live, "SELECT * FROM p") == []


def test_a_cloud_that_ends_meanwhile_leaves_nothing_of_it(live: Path) -> None:
    with pytest.raises(LargeImportError, match="D1 reset"):
        run(live, "INSERT INTO p VALUES (7);", stopped=True)
    assert rows(live, "SELECT * FROM p") == []


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.integers(1, 5))
def test_a_file_has_the_statements_of_its_text_wherever_it_is_cut(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    file = tmp_path_factory.getbasetemp() / "statements.sql"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_sql, "_CHUNK", size)
        assert list(split_file(file)) == split(text)


@pytest.mark.cloud
def test_it_goes_through_the_same_calls_and_is_seen_by_workerd(api: Api, faults: Faults, tmp_path: Path) -> None:
    database = api.database()
    file, digest = tmp_path / "large.sql", hashlib.md5(usedforsecurity=False)
    filler = f"SELECT '{'x' * 99_000}';\n"
    with file.open("wb") as target:
        for piece in ["CREATE TABLE t (a, b);", f"{TRIGGER}", *[filler] * (LARGE // len(filler) + 1), "INSERT INTO t (a) VALUES (3);"]:
            target.write(piece.encode())
            digest.update(piece.encode())
    etag = digest.hexdigest()
    begun = call(api, database, "init", etag=etag)
    with file.open("rb") as content:
        assert httpx.put(begun["upload_url"], content=content, trust_env=False, timeout=300).status_code == 200
    done = finished(api, database, call(api, database, "ingest", etag=etag, filename=begun["filename"]))
    assert (done["status"], done["result"]["meta"]["changes"], done["result"]["meta"]["changed_db"]) == ("complete", 2, True), done
    assert api.query(database, "SELECT a, b FROM t") == [[{"a": 3, "b": ";"}]]
    assert api.query(database, "SELECT sql FROM sqlite_master WHERE name = 'tr'") == [[{"sql": TRIGGER.removesuffix(";")}]]
    assert faults.executed("INSERT INTO t (a) VALUES (3)", database) == 1
    assert api.result("GET", f"/d1/database/{database}/time_travel/bookmark")["bookmark"] == done["result"]["final_bookmark"]
