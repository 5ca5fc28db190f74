"""Exports: D1's own text, at an address that needs no token and is valid for an hour."""

import time

import httpx
import pytest

from local_cloud.d1.routes.signed_files import VALID_SECONDS, signed
from local_cloud.faults.client import Faults
from tests.cloud import Api, Body
from tests.local_cloud.d1.test_imports import run

pytestmark = pytest.mark.cloud

DAY = 86400
SCHEMA = """CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b); CREATE TABLE "odd name"(c); CREATE INDEX i ON t(b);
INSERT INTO t(b) VALUES('it''s'), (NULL), (1.5), (x'00ff'); INSERT INTO "odd name" VALUES(7)"""


def ask(api: Api, database: str, **more: object) -> Body:
    result: Body = api.call("POST", f"/d1/database/{database}/export", {"output_format": "polling", **more}).json()["result"]
    return result


def text_of(api: Api, database: str, **options: object) -> str:
    done = ask(api, database, dump_options=options)
    assert (done["type"], done["success"], done["status"]) == ("export", True, "complete")
    assert done["result"]["filename"].endswith(".sql")
    return httpx.get(done["result"]["signed_url"], trust_env=False, timeout=60).raise_for_status().text


@pytest.fixture
def database(api: Api) -> str:
    database = api.database()
    run(api, database, SCHEMA)
    return database


def test_an_export_imports_again_to_the_same_data_and_schema(api: Api, database: str) -> None:
    other = api.database()
    text = text_of(api, database)
    assert run(api, other, text)["status"] == "complete"
    assert text_of(api, other) == text
    assert api.query(other, "SELECT a, b FROM t") == api.query(database, "SELECT a, b FROM t")
    assert "_cf_" not in text


def test_options_choose_schema_data_and_tables(api: Api, database: str) -> None:
    assert "INSERT" not in text_of(api, database, no_data=True)
    assert "CREATE" not in text_of(api, database, no_schema=True)
    only = text_of(api, database, tables=["odd name"])
    assert "odd name" in only
    assert "CREATE TABLE t(" not in only
    assert text_of(api, database, tables=[]) == text_of(api, database)


@pytest.mark.parametrize(
    "body",
    [{}, {"output_format": "file"}, *({"output_format": "polling", "dump_options": wrong} for wrong in (7, {"tables": "t"}, {"x": 1}))],
)
def test_a_malformed_export_is_refused(api: Api, body: Body) -> None:
    assert api.refusal("POST", f"/d1/database/{api.database()}/export", body)[:2] == (400, 7400)


def test_virtual_tables_are_refused_unless_other_tables_are_named(api: Api, database: str) -> None:
    api.query(database, "create virtual table ft using fts5(a)")
    failed = ask(api, database)
    assert (failed["success"], failed["status"]) == (False, "error")
    assert failed["error"] == "D1 Export error: cannot export databases with Virtual Tables (fts5)"
    assert "it''s" in text_of(api, database, tables=["t"])


def test_the_database_is_blocked_until_the_export_is_done(api: Api, faults: Faults, database: str) -> None:
    with faults.behaviour(polls_until_done=1):
        active = ask(api, database)
        assert (active["status"], active["success"]) == ("active", True)
        held = (400, 7500, "Currently processing a long-running export.")
        assert api.refusal("POST", f"/d1/database/{database}/query", {"sql": "SELECT 1"}) == held
        again = ask(api, database)
        only_one = "Currently processing a long-running export. Cannot start a new export until that completes or times out."
        assert (again["success"], again["error"]) == (False, only_one)
        assert ask(api, database, current_bookmark=active["at_bookmark"])["status"] == "complete"
    assert ask(api, database, current_bookmark="x")["error"] == "Not currently exporting anything."
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 4}]]


def test_an_address_is_valid_for_an_hour_and_for_its_file_only(api: Api, database: str) -> None:
    url = httpx.URL(ask(api, database)["result"]["signed_url"])
    assert abs(int(url.params["expires"]) - time.time() - VALID_SECONDS) < VALID_SECONDS / 2
    path = url.path.removeprefix("/d1-files")
    expired = url.copy_with(query=signed(api.running.token, "GET", path, int(time.time()) - DAY).encode())
    gone = path.replace(".sql", "0.sql")
    unknown = url.copy_with(path=f"/d1-files{gone}", query=signed(api.running.token, "GET", gone, int(time.time()) + DAY).encode())
    assert [httpx.get(wrong, trust_env=False, timeout=60).status_code for wrong in (expired, url.copy_with(query=None), unknown)] == [
        403,
        403,
        404,
    ]
    assert httpx.put(url, content=b"x", trust_env=False, timeout=60).status_code == 403
