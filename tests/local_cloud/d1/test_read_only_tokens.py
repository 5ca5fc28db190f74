"""A read-only token cannot write through /query or /raw; this is decided before anything runs."""

import httpx
import pytest

from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.tokens import Permission
from tests.cloud import Api, api_of

pytestmark = pytest.mark.cloud

WRITES = [
    "INSERT INTO t VALUES(2)",
    "INSERT INTO t VALUES(2) RETURNING a",
    "UPDATE t SET a = 2",
    "DELETE FROM t",
    "REPLACE INTO t VALUES(2)",
    "WITH x AS (SELECT 1) DELETE FROM t",
    "WITH x AS (SELECT 2 AS b) INSERT INTO t SELECT b FROM x",
    "/* SELECT */ DELETE FROM t",
    "-- SELECT\nDELETE FROM t",
    "SELECT 1; DELETE FROM t",
    "CREATE TABLE u(a)",
    "DROP TABLE t",
    "ALTER TABLE t ADD COLUMN b",
    "CREATE INDEX i ON t(a)",
    "ANALYZE",
    "REINDEX",
    "PRAGMA optimize",
    'PRAGMA "optimize"',
    "PRAGMA main.[optimize](table_info)",
    "PRAGMA /* table_info */ `optimize`",
    "SELECT * FROM pragma_optimize(0x10002)",
    'SELECT 1 FROM main . "PRAGMA_optimize"(0x10002)',
    "WITH x AS (SELECT * FROM [pragma_optimize]) SELECT * FROM x",
    "PRAGMA 'case_sensitive_like'(table_info)",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA case_sensitive_like(1)",
    "PRAGMA main.case_sensitive_like(table_info)",
    "PRAGMA case_sensitive_like /* table_info */ = 1",
    "EXPLAIN PRAGMA case_sensitive_like = 1",
    "EXPLAIN QUERY PLAN PRAGMA legacy_alter_table = 1",
    "EXPLAIN CREATE TABLE u(a)",
    "EXPLAIN CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1",
    "BEGIN",
    "VACUUM",
    "ATTACH 'x' AS y",
]
READS = [
    "SELECT a FROM t",
    "select a as \"delete\" from t where 'insert' <> 'update'",
    "VALUES(1)",
    "WITH x AS (SELECT a FROM t) SELECT * FROM x",
    "EXPLAIN DELETE FROM t",
    "EXPLAIN QUERY PLAN UPDATE t SET a = 3",
    "PRAGMA table_info(t)",
    "PRAGMA main.index_list('t')",
    "PRAGMA foreign_keys",
    "SELECT name FROM pragma_table_info('t')",
]


@pytest.fixture(scope="module")
def database(cloud: Running) -> str:
    """One database for all tests: refused statements must not change it."""
    calls = api_of(cloud)
    with calls.http:
        database = calls.database()
        calls.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    return database


def ask(api: Api, faults: Faults, path: str, body: dict[str, object], *permissions: Permission) -> httpx.Response:
    headers = {"authorization": f"Bearer {faults.token(*permissions)}"}
    return httpx.post(
        f"{api.running.api_url}/accounts/{api.running.account_id}{path}", json=body, headers=headers, trust_env=False, timeout=60
    )


@pytest.mark.parametrize("kind", ["query", "raw"])
@pytest.mark.parametrize("sql", WRITES)
def test_a_read_only_token_cannot_write(api: Api, faults: Faults, database: str, sql: str, kind: str) -> None:
    reply = ask(api, faults, f"/d1/database/{database}/{kind}", {"sql": sql}, Permission.D1_READ)
    assert (reply.status_code, reply.json()["errors"]) == (403, [{"code": 10000, "message": "Authentication error"}])
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]
    assert api.query(database, "SELECT name FROM sqlite_master WHERE name NOT LIKE '%_cf_%'") == [[{"name": "t"}]]


@pytest.mark.parametrize("sql", READS)
def test_a_read_only_token_reads(api: Api, faults: Faults, database: str, sql: str) -> None:
    reply = ask(api, faults, f"/d1/database/{database}/query", {"sql": sql}, Permission.D1_READ)
    assert reply.status_code == 200, reply.text
    (mine,), (all_powerful,) = reply.json()["result"], api.result("POST", f"/d1/database/{database}/query", {"sql": sql})
    assert mine["results"] == all_powerful["results"]


def test_a_read_only_token_cannot_read_a_view_that_writes(api: Api, faults: Faults) -> None:
    """As ``pragma_optimize`` does, which stores statistics in its own table."""
    database = api.database()
    api.query(database, "CREATE TABLE t(a); CREATE INDEX i ON t(a); CREATE VIEW v AS SELECT * FROM Pragma_Optimize(0x10002)")
    api.query(database, "INSERT INTO t VALUES(1), (2)")
    assert ask(api, faults, f"/d1/database/{database}/query", {"sql": "SELECT * FROM v"}, Permission.D1_READ).status_code == 403
    tables = "SELECT count(*) AS n FROM sqlite_master WHERE name = 'sqlite_stat1'"
    assert api.query(database, tables) == [[{"n": 0}]]
    api.query(database, "SELECT * FROM v")
    assert api.query(database, tables) == [[{"n": 1}]]


def test_a_write_in_a_batch_stops_the_reads_before_it(api: Api, faults: Faults, database: str) -> None:
    body: dict[str, object] = {"batch": [{"sql": "SELECT ?", "params": [1]}, {"sql": "DELETE FROM t WHERE a = ?", "params": [1]}]}
    assert ask(api, faults, f"/d1/database/{database}/query", body, Permission.D1_READ).status_code == 403
    assert faults.executed("SELECT ?", database) == 0


def test_a_read_only_token_gets_d1s_own_text_for_a_mistake(api: Api, faults: Faults, database: str) -> None:
    reply = ask(api, faults, f"/d1/database/{database}/query", {"sql": "SELECT nope FROM t"}, Permission.D1_READ)
    assert reply.json()["errors"] == [{"code": 7500, "message": "no such column: nope at offset 7: SQLITE_ERROR"}]


def test_a_statement_too_long_to_judge_is_not_run(api: Api, faults: Faults, database: str) -> None:
    sql = "WITH x AS (SELECT 1) DELETE FROM t WHERE '" + "x" * 99_955 + "'"
    assert len(sql) <= 100_000 < len(f"EXPLAIN {sql}")
    reply = ask(api, faults, f"/d1/database/{database}/query", {"sql": sql}, Permission.D1_READ)
    assert reply.json()["errors"] == [{"code": 7500, "message": "statement too long: SQLITE_TOOBIG"}]


def test_a_writing_token_writes_and_one_for_workers_does_not_even_read(api: Api, faults: Faults, database: str) -> None:
    path = f"/d1/database/{database}/query"
    assert ask(api, faults, path, {"sql": "CREATE TABLE IF NOT EXISTS t(a)"}, Permission.D1_WRITE).status_code == 200
    assert ask(api, faults, path, {"sql": "SELECT 1"}, Permission.WORKERS_WRITE).status_code == 403


@pytest.mark.parametrize("path", ["import", "time_travel/restore?bookmark=x"])
def test_a_read_only_token_cannot_import_or_restore(api: Api, faults: Faults, database: str, path: str) -> None:
    assert ask(api, faults, f"/d1/database/{database}/{path}", {}, Permission.D1_READ).status_code == 403
