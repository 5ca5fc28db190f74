"""SQL through /query and /raw: one request is one transaction, refusals are production's, and meta is complete."""

import asyncio
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.workerd.paths import database_file
from tests.cloud import Api, Body, api_of

pytestmark = pytest.mark.cloud

TWO_INSERTS_THEN_A_MISTAKE = [
    {"sql": "INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); INSERT INTO nope VALUES(3);"},
    {"batch": [{"sql": "INSERT INTO t VALUES(?)", "params": [n]} for n in (1, 2)] + [{"sql": "INSERT INTO nope VALUES(?)", "params": [3]}]},
]


Refused = Callable[..., tuple[int, int, str]]


@pytest.fixture(scope="module")
def empty(cloud: Running) -> str:
    """One database for all tests that only read or get a refusal."""
    calls = api_of(cloud)
    with calls.http:
        return calls.database()


@pytest.fixture
def refused(api: Api, empty: str) -> Refused:
    """Run SQL that is refused; give status, code and text."""

    def run(sql: str, *params: object) -> tuple[int, int, str]:
        return api.refusal("POST", f"/d1/database/{empty}/query", {"sql": sql, "params": list(params)})

    return run


def test_parameters_are_bound(api: Api, empty: str) -> None:
    assert api.query(empty, "SELECT ? AS a, ? AS b, ? AS c, ? AS d", "x'", 1.5, None, True) == [  # noqa: FBT003
        [{"a": "x'", "b": 1.5, "c": None, "d": 1}]
    ]


def test_each_statement_of_a_text_has_its_own_result_and_meta(api: Api) -> None:
    database = api.database()
    sql = "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); SELECT a FROM t WHERE a = 2; -- the end"
    results = api.result("POST", f"/d1/database/{database}/query", {"sql": sql})
    assert [result["results"] for result in results] == [[], [], [{"a": 2}]]
    assert [result["success"] for result in results] == [True, True, True]
    assert [result["meta"]["changes"] for result in results] == [0, 2, 0]
    assert [result["meta"]["changed_db"] for result in results] == [True, True, False]
    assert [result["meta"]["rows_written"] > 0 for result in results] == [True, True, False]
    assert results[1]["meta"]["last_row_id"] == 2
    assert results[2]["meta"]["rows_read"] == 2


def test_meta_has_the_fields_and_values_of_production(api: Api, empty: str) -> None:
    (result,) = api.result("POST", f"/d1/database/{empty}/query", {"sql": "SELECT 1"})
    meta = result["meta"]
    assert meta["timings"] == {"sql_duration_ms": meta["duration"]}
    assert meta["size_after"] >= 4096
    kept = {name: meta[name] for name in meta.keys() - {"duration", "timings", "size_after", "last_row_id"}}
    assert kept == {
        "served_by": "v3-prod",
        "served_by_region": "WEUR",
        "served_by_colo": "AMS",
        "served_by_primary": True,
        "total_attempts": 1,
        "changes": 0,
        "changed_db": False,
        "rows_read": 0,
        "rows_written": 0,
    }


def test_changes_count_every_row_of_a_statement_also_those_of_its_triggers(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a); CREATE TABLE log(a); INSERT INTO t VALUES(1),(2),(3)")
    results = api.result("POST", f"/d1/database/{database}/query", {"sql": "UPDATE t SET a = 9 WHERE a > 1; DELETE FROM t"})
    assert [result["meta"]["changes"] for result in results] == [2, 3]


@pytest.mark.parametrize("body", TWO_INSERTS_THEN_A_MISTAKE)
def test_a_failing_statement_leaves_nothing_of_its_request(api: Api, faults: Faults, body: Body) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    assert api.refusal("POST", f"/d1/database/{database}/query", body) == (400, 7500, "no such table: nope: SQLITE_ERROR")
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 0}]]
    assert faults.executed("INSERT INTO t VALUES(1)", database) == faults.executed("INSERT INTO t VALUES(?)", database) == 0


@pytest.mark.parametrize("body", TWO_INSERTS_THEN_A_MISTAKE)
def test_without_atomic_batches_what_ran_before_the_failure_stays(api: Api, faults: Faults, body: Body) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    with faults.behaviour(atomic_batches=False):
        assert api.refusal("POST", f"/d1/database/{database}/query", body) == (400, 7500, "no such table: nope: SQLITE_ERROR")
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}, {"a": 2}]]
    assert faults.executed("INSERT INTO t VALUES(1)", database) + faults.executed("INSERT INTO t VALUES(?)", database) in {1, 2}


def test_a_batch_binds_the_parameters_of_each_statement(api: Api, empty: str) -> None:
    batch = [{"sql": "SELECT ? AS a", "params": [1]}, {"sql": "SELECT ? AS a", "params": ["two"]}]
    results = api.result("POST", f"/d1/database/{empty}/query", {"batch": batch})
    assert [result["results"] for result in results] == [[{"a": 1}], [{"a": "two"}]]


def test_raw_keeps_columns_of_one_name_and_of_no_rows(api: Api, empty: str) -> None:
    results = api.result("POST", f"/d1/database/{empty}/raw", {"sql": "SELECT 1 AS a, 2 AS a; SELECT 1 AS b WHERE 0"})
    assert [result["results"] for result in results] == [{"columns": ["a", "a"], "rows": [[1, 2]]}, {"columns": ["b"], "rows": []}]


def test_what_was_executed_is_logged_once_for_its_database(api: Api, faults: Faults) -> None:
    database, other = api.database(), api.database()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(5);")
    assert faults.executed("INSERT INTO t VALUES(5)", database) == 1
    assert faults.executed("INSERT INTO t VALUES(5)", other) == 0


@pytest.mark.parametrize("sql", ["BEGIN", "begin immediate", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a"])
def test_transactions_are_refused_with_productions_text(refused: Refused, sql: str) -> None:
    status, code, text = refused(f"SELECT 1; {sql};")
    assert (status, code) == (400, 7500)
    assert text.startswith("To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs")


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("ATTACH 'x' AS y", "not authorized: SQLITE_AUTH"),
        ("DETACH y", "not authorized: SQLITE_AUTH"),
        ("VACUUM", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
        ("PRAGMA journal_mode = DELETE", "not authorized: SQLITE_AUTH"),
        ("PRAGMA writable_schema = 1", "not authorized: SQLITE_AUTH"),
        ("PRAGMA user_version = 2", "not authorized: SQLITE_AUTH"),
        ("PRAGMA miniflare_d1_export(?,?,?)", "not authorized: SQLITE_AUTH"),
        ("SELECT load_extension('x')", "not authorized: SQLITE_ERROR"),
        ("SELECT sqlite_version()", "not authorized to use function: sqlite_version at offset 7: SQLITE_ERROR"),
        ("SELECT * FROM _cf_METADATA", "access to _cf_METADATA.key is prohibited: SQLITE_AUTH"),
        ("CREATE TABLE _cf_KV(a)", "not authorized: SQLITE_AUTH"),
        ("CREATE TABLE sqlite_t(a)", "object name reserved for internal use: sqlite_t: SQLITE_ERROR"),
        ("CREATE TEMP TABLE t(a)", "not authorized: SQLITE_AUTH"),
        (f"CREATE TABLE t({','.join(f'c{n}' for n in range(101))})", "too many columns on t: SQLITE_ERROR"),
        (f"SELECT '{'x' * 100_000}'", "statement too long: SQLITE_TOOBIG"),
        ("SELECT zeroblob(3000000)", "string or blob too big: SQLITE_TOOBIG"),
        ("SELEC 1", 'near "SELEC": syntax error at offset 0: SQLITE_ERROR'),
    ],
)
def test_statements_that_production_refuses_are_refused_with_its_text(refused: Refused, sql: str, text: str) -> None:
    assert refused(sql) == (400, 7500, text)


def test_the_limits_apply_exactly(api: Api, refused: Refused) -> None:
    database = api.database()
    hundred = ", ".join("?" for _ in range(100))
    api.query(database, f"CREATE TABLE t({','.join(f'c{n}' for n in range(100))})")
    api.query(database, f"INSERT INTO t VALUES({hundred})", *range(100))
    assert len(api.query(database, f"SELECT '{'x' * (100_000 - 9)}'")[0]) == 1
    assert api.query(database, "SELECT length(?) AS n", "é" * 1_000_000) == [[{"n": 1_000_000}]]
    assert refused(f"SELECT {hundred}, ?", *range(101))[2].startswith("too many SQL variables")
    assert refused("SELECT length(?)", "é" * 1_000_000 + "x") == (400, 7500, "string or blob too big: SQLITE_TOOBIG")


@pytest.mark.parametrize(("sql", "params"), [("SELECT ?", []), ("SELECT 1", [1]), ("SELECT ?; SELECT ?", [1, 2])])
def test_a_wrong_number_of_values_is_refused(refused: Refused, sql: str, params: list[object]) -> None:
    status, code, text = refused(sql, *params)
    assert (status, code) == (400, 7500)
    assert text.startswith("Wrong number of parameter bindings for SQL query.")


def test_foreign_keys_are_always_on(api: Api) -> None:
    database = api.database()
    api.query(database, "PRAGMA foreign_keys = OFF; CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id))")
    status, code, text = api.refusal("POST", f"/d1/database/{database}/query", {"sql": "INSERT INTO c VALUES(1)"})
    assert (status, code) == (400, 7500)
    assert text.startswith("FOREIGN KEY constraint failed: SQLITE_CONSTRAINT")


def test_a_rebuilt_table_empties_its_children_despite_any_pragma(api: Api) -> None:
    """As in production, where the request reports success all the same (workers-sdk 5438)."""
    database = api.database()
    api.query(database, "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id) ON DELETE CASCADE)")
    api.query(database, "INSERT INTO p VALUES(1); INSERT INTO c VALUES(1)")
    pragmas = "PRAGMA foreign_keys = OFF; PRAGMA defer_foreign_keys = ON"
    rebuild = "CREATE TABLE n(id INTEGER PRIMARY KEY, x); INSERT INTO n(id) SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p"
    api.query(database, f"{pragmas}; {rebuild}")
    assert api.query(database, "SELECT id FROM p; SELECT p FROM c") == [[{"id": 1}], []]


def test_deferred_foreign_keys_are_checked_at_the_end_of_the_request(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id))")
    api.query(database, "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES(1); INSERT INTO p VALUES(1)")
    path = f"/d1/database/{database}/query"
    status, code, text = api.refusal("POST", path, {"sql": "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES(2)"})
    assert (status, code) == (400, 7500)
    assert "constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT" in text
    assert api.refusal("POST", path, {"sql": "INSERT INTO c VALUES(3); INSERT INTO p VALUES(3)"})[:2] == (400, 7500)
    assert api.query(database, "SELECT p FROM c") == [[{"p": 1}]]


@pytest.mark.parametrize("sql", ["", "  ", "-- only a comment", "/* a */;", ";;"])
def test_sql_without_a_statement_is_refused(refused: Refused, sql: str) -> None:
    assert refused(sql) == (400, 7500, "No SQL statements detected.")


def test_a_batch_with_an_empty_statement_is_refused_instead_of_answered_with_fewer_results(api: Api, empty: str) -> None:
    batch = [{"sql": "SELECT 1"}, {"sql": "-- nothing"}]
    refusal = api.refusal("POST", f"/d1/database/{empty}/query", {"batch": batch})
    assert refusal == (400, 7500, "No SQL statements detected.")


@pytest.mark.parametrize("body", [b'{"sql": "SELECT \'\\ud800\'"}', b'{"sql": "SELECT ?", "params": ["\\udc00x"]}', b"\xff", b"{"])
def test_text_that_is_not_unicode_is_refused(api: Api, empty: str, body: bytes) -> None:
    reply = api.http.post(f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database/{empty}/query", content=body)
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, 7400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sql": 1},
        {"batch": "x"},
        {"batch": [1]},
        {"sql": "SELECT ?", "params": [{}]},
        {"sql": "SELECT ?", "params": [float("inf")]},
        [],
    ],
)
def test_a_malformed_query_is_refused(api: Api, empty: str, body: object) -> None:
    path = f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database/{empty}/query"
    reply = api.http.post(path, content=re.sub("inf", "Infinity", str(body).replace("'", '"')))
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, 7400)


def test_a_query_of_an_unknown_database_is_refused(api: Api) -> None:
    assert api.refusal("POST", "/d1/database/10ca1000-0000-4000-8000-000000000000/query", {"sql": "SELECT 1"})[:2] == (404, 7404)


def test_a_query_that_takes_too_long_is_ended_and_leaves_nothing(api: Api, faults: Faults) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    endless = "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT max(x) FROM c"
    with faults.behaviour(query_seconds=0.2):
        assert api.refusal("POST", f"/d1/database/{database}/query", {"sql": f"INSERT INTO t VALUES(1); {endless}"})[:2] == (429, 7429)
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 0}]]
    assert faults.executed("INSERT INTO t VALUES(1)", database) == 0


def test_what_was_acknowledged_is_in_the_file(api: Api, cloud: Running) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(7)")
    file = database_file(Path(cloud.folder) / "d1", database)
    with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT a FROM t").fetchall() == [(7,)]
    reader.close()


async def test_two_hundred_parallel_queries_on_twenty_databases_all_succeed(api: Api) -> None:
    databases = [api.database() for _ in range(20)]
    for database in databases:
        api.query(database, "CREATE TABLE t(a)")
    base = f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database"
    unlimited = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(headers=dict(api.http.headers), limits=unlimited, timeout=60, trust_env=False) as http:
        bodies = [{"sql": "INSERT INTO t VALUES(?) RETURNING a", "params": [number]} for number in range(200)]
        replies = await asyncio.gather(*(http.post(f"{base}/{databases[n % 20]}/query", json=bodies[n]) for n in range(200)))
    assert [reply.json()["result"][0]["results"] for reply in replies] == [[{"a": number}] for number in range(200)]
    assert [api.query(database, "SELECT count(*) AS n FROM t") for database in databases] == [[[{"n": 10}]]] * 20
