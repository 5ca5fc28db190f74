"""Imports: a file takes effect as a whole or not at all, exactly as written, and blocks its database meanwhile."""

import contextlib
import hashlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_cloud.d1.routes.signed_files import signed
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from local_cloud.workerd.paths import database_file
from tests.cloud import Api, Body, api_of

pytestmark = pytest.mark.cloud

DAY = 86400
TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t\r\nbegin\r\n  UPDATE t SET b = CASE WHEN a = 3 THEN ';' END\r\n  WHERE a = new.a;\r\nend;"


def etag_of(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def call(api: Api, database: str, action: str, **more: str) -> Body:
    reply = api.call("POST", f"/d1/database/{database}/import", {"action": action, **more})
    assert reply.json()["success"] is True, reply.text
    result: Body = reply.json()["result"]
    assert reply.status_code == (202 if result.get("status") == "active" else 200)
    return result


def upload(api: Api, database: str, text: str) -> Body:
    """Begin an import and upload its file, without a token."""
    begun = call(api, database, "init", etag=etag_of(text))
    put = httpx.put(begun["upload_url"], content=text.encode(), trust_env=False, timeout=60)
    assert (put.status_code, put.headers["etag"]) == (200, f'"{etag_of(text)}"')
    return begun


def run(api: Api, database: str, text: str) -> Body:
    return call(api, database, "ingest", etag=etag_of(text), filename=upload(api, database, text)["filename"])


def finished(api: Api, database: str, reply: Body) -> Body:
    """Poll until an import is no longer active; each reply waits for it a while."""
    while reply["status"] == "active":
        reply = call(api, database, "poll", current_bookmark=reply["at_bookmark"])
    return reply


def test_a_file_is_imported_and_reported_as_wrangler_and_the_sdk_read_it(api: Api, faults: Faults) -> None:
    database = api.database()
    done = run(api, database, "CREATE TABLE t(a, b);\nINSERT INTO t VALUES(1, 2), (3, 4);\n-- the end\n")
    assert {name: done[name] for name in ("type", "success", "status")} == {"type": "import", "success": True, "status": "complete"}
    assert done["at_bookmark"] < done["result"]["final_bookmark"]
    assert done["result"]["num_queries"] == 2
    meta = done["result"]["meta"]
    assert (meta["changes"], meta["changed_db"], meta["served_by_region"]) == (2, True, "WEUR")
    assert {"rows_read", "rows_written", "duration", "size_after", "timings", "last_row_id"} <= meta.keys()
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 2}]]
    assert faults.executed("INSERT INTO t VALUES(1, 2), (3, 4)", database) == 1
    assert call(api, database, "poll", current_bookmark=done["at_bookmark"])["result"] == done["result"]


def test_what_breaks_under_query_is_imported_byte_for_byte(api: Api) -> None:
    database = api.database()
    run(api, database, f"\ufeffCREATE TABLE t(a, b);\r\n{TRIGGER}\r\nINSERT INTO t(a) VALUES(3);\r\nINSERT INTO t(a) VALUES('x;\r\ny');")
    assert api.query(database, "SELECT a, b FROM t") == [[{"a": 3, "b": ";"}, {"a": "x;\r\ny", "b": None}]]
    assert api.query(database, "SELECT sql FROM sqlite_master WHERE name = 'tr'") == [[{"sql": TRIGGER.removesuffix(";")}]]


def test_deferred_foreign_keys_hold_until_the_end_of_the_file(api: Api) -> None:
    database = api.database()
    schema = "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id));"
    done = run(api, database, f"PRAGMA defer_foreign_keys=TRUE; {schema} INSERT INTO c VALUES(1); INSERT INTO p VALUES(1);")
    assert done["status"] == "complete"
    broken = run(api, database, "PRAGMA defer_foreign_keys=TRUE; INSERT INTO c VALUES(2);")
    assert "constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT" in broken["error"]
    assert api.query(database, "SELECT p FROM c") == [[{"p": 1}]]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("INSERT INTO t VALUES(2); INSERT INTO nope VALUES(1);", "no such table: nope: SQLITE_ERROR"),
        ("INSERT INTO t VALUES(2); BEGIN TRANSACTION; COMMIT;", "To execute a transaction, please use the state.storage.transaction()"),
        ("INSERT INTO t VALUES(2); CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1;", "incomplete input: SQLITE_ERROR"),
        ("INSERT INTO t VALUES(2); PRAGMA miniflare_d1_export(?,?,?);", "not authorized: SQLITE_AUTH"),
        (f"INSERT INTO t VALUES(2); SELECT '{'x' * 100_000}';", "statement too long: SQLITE_TOOBIG"),
        ("-- nothing", "No SQL statements detected."),
    ],
)
def test_a_failed_import_says_why_and_leaves_nothing(api: Api, faults: Faults, text: str, error: str) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    before = api.result("GET", f"/d1/database/{database}/time_travel/bookmark")
    failed = run(api, database, text)
    assert (failed["success"], failed["status"]) == (False, "error")
    assert failed["error"].startswith(error)
    assert "result" not in failed
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]
    assert api.result("GET", f"/d1/database/{database}/time_travel/bookmark") == before
    assert faults.executed("INSERT INTO t VALUES(2)", database) == 0


def test_a_file_that_was_uploaded_before_is_run_at_once(api: Api) -> None:
    database, text = api.database(), "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1);"
    upload(api, database, text)
    done = call(api, database, "init", etag=etag_of(text))
    assert "upload_url" not in done
    assert done["status"] == "complete"
    assert "upload_url" in call(api, api.database(), "init", etag=etag_of(text))


def test_a_file_with_another_digest_than_announced_is_not_run(api: Api) -> None:
    database, promised = api.database(), "CREATE TABLE t(a);"
    begun = call(api, database, "init", etag=etag_of(promised))
    put = httpx.put(begun["upload_url"], content=b"CREATE TABLE other(a);", trust_env=False, timeout=60)
    assert put.headers["etag"] == f'"{etag_of("CREATE TABLE other(a);")}"'
    refused = call(api, database, "ingest", etag=etag_of(promised), filename=begun["filename"])
    assert (refused["success"], refused["error"]) == (False, "The etag does not match the uploaded file")
    assert "upload_url" in call(api, database, "init", etag=etag_of(promised))


def test_an_unknown_file_is_not_run(api: Api) -> None:
    database, text = api.database(), "CREATE TABLE t(a);"
    name = upload(api, database, text)["filename"]
    assert call(api, api.database(), "ingest", etag=etag_of(text), filename=name)["error"] == f"File not found: {name}"
    assert call(api, database, "ingest", etag=etag_of(text), filename=f"../imports/{name}")["success"] is False
    assert call(api, database, "poll", current_bookmark="x")["error"] == "Not currently importing anything."


@pytest.mark.parametrize(
    "body", [{}, {"action": "x"}, {"action": "init"}, {"action": "init", "etag": "x"}, {"action": "ingest", "etag": 7}]
)
def test_a_malformed_import_is_refused(api: Api, body: Body) -> None:
    assert api.refusal("POST", f"/d1/database/{api.database()}/import", body)[:2] == (400, 7400)


def test_an_address_allows_only_its_upload_and_only_while_it_is_valid(api: Api) -> None:
    database = api.database()
    url = httpx.URL(call(api, database, "init", etag=etag_of("x"))["upload_url"])
    path = url.path.removeprefix("/d1-files")
    expired = url.copy_with(query=signed(api.running.token, "PUT", path, int(time.time()) - DAY).encode())
    stretched = url.copy_with(query=url.query.replace(b"expires=1", b"expires=2"))
    elsewhere = url.copy_with(path=url.path.replace(".sql", "x.sql"))
    for wrong in (expired, stretched, elsewhere, url.copy_with(query=None), url.copy_with(query=b"expires=x&signature=x")):
        assert httpx.put(wrong, content=b"x", trust_env=False, timeout=60).status_code == 403
    assert httpx.get(url, trust_env=False, timeout=60).status_code == 403
    assert httpx.put(url, content=b"x", trust_env=False, timeout=60).status_code == 200


def test_an_upload_gets_faults_and_is_logged_like_every_other_call(api: Api, faults: Faults) -> None:
    database, text = api.database(), "-- planted-in-a-file"
    with faults.fault("PUT /d1-files/{uuid}/{name}", Drop("after-read")) as dropped, pytest.raises(httpx.TransportError):
        upload(api, database, text)
    assert dropped.fired == 1
    assert faults.seen("planted-in-a-file")[0].part == "request body"
    assert run(api, database, text + "\nSELECT 1;")["status"] == "complete"


def test_the_database_is_blocked_until_the_import_reports_that_it_is_done(api: Api, faults: Faults) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    with faults.behaviour(polls_until_done=2):
        active = run(api, database, "INSERT INTO t VALUES(1);")
        assert active["status"] == "active"
        held = (400, 7500, "Currently processing a long-running import.")
        assert api.refusal("POST", f"/d1/database/{database}/query", {"sql": "SELECT 1"}) == held
        export = api.result("POST", f"/d1/database/{database}/export", {"output_format": "polling"})
        assert (export["success"], export["error"].partition(". ")[0] + ".") == (False, held[2])
        assert api.refusal("POST", f"/d1/database/{database}/time_travel/restore?bookmark=x") == held
        assert call(api, database, "poll", current_bookmark=active["at_bookmark"])["status"] == "active"
        done = call(api, database, "poll", current_bookmark=active["at_bookmark"])
        assert done["status"] == "complete"
        assert run(api, database, "INSERT INTO t VALUES(2);")["status"] == "active"
        assert call(api, database, "poll", current_bookmark=active["at_bookmark"]) == {**done, "messages": []}
        assert api.refusal("POST", f"/d1/database/{database}/query", {"sql": "SELECT 1"}) == held
    later = done["result"]["final_bookmark"]
    assert [call(api, database, "poll", current_bookmark=later)["status"] for _ in range(2)] == ["active", "complete"]
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}, {"a": 2}]]


def test_nothing_is_uploaded_for_a_deleted_database(api: Api) -> None:
    database = api.database()
    url = call(api, database, "init", etag=etag_of("x"))["upload_url"]
    api.result("DELETE", f"/d1/database/{database}")
    assert httpx.put(url, content=b"x", trust_env=False, timeout=60).status_code == 404


def test_a_kill_in_the_middle_leaves_the_state_before_or_after(tmp_path: Path, begin: Callable[..., Running]) -> None:
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        database = api.database()
        api.query(database, "CREATE TABLE t(a)")
        text = "".join(f"INSERT INTO t VALUES({n});\n" for n in range(20_000))
        name = upload(api, database, text)["filename"]
        url = f"{running.api_url}/accounts/{running.account_id}/d1/database/{database}/import"
        body: dict[str, Any] = {"action": "ingest", "etag": etag_of(text), "filename": name}
        with contextlib.suppress(httpx.TimeoutException):
            http.post(url, json=body, timeout=0.15)
        os.kill(running.pid, signal.SIGKILL)
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        again = Api(running, http)
        (counted,) = again.query(database, "SELECT count(*) AS n FROM t")
        assert counted in ([{"n": 0}], [{"n": 20_000}])
        assert finished(again, database, call(again, database, "init", etag=etag_of(text)))["status"] == "complete"
        assert again.query(database, "SELECT count(*) AS n FROM t") == [[{"n": counted[0]["n"] + 20_000}]]
    file = database_file(tmp_path / "d1", database)
    with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
