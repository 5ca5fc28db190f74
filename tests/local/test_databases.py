"""Databases: made, found, changed and deleted; a request is one transaction, and D1's own words come through."""

import pytest

from crane_infra.local.ids import is_local
from tests.local.conftest import Api


def test_a_database_lives_from_creation_to_deletion(api: Api) -> None:
    made = api.result("POST", "/d1/database", {"name": "life", "read_replication": {"mode": "disabled"}})
    path = f"/d1/database/{made['uuid']}"
    assert is_local(made["uuid"])
    assert made == api.result("GET", path)
    assert [found["uuid"] for found in api.result("GET", "/d1/database?name=life")] == [made["uuid"]]
    assert api.result("GET", "/d1/database?name=lif") == []
    assert api.result("PATCH", path, {"read_replication": {"mode": "auto"}})["read_replication"] == {"mode": "auto"}
    assert api.result("DELETE", path) is None
    assert api.refusal("GET", path) == (404, 7404, f"The database {made['uuid']} could not be found")


def test_a_new_database_has_the_shape_that_the_provider_was_recorded_with(api: Api) -> None:
    made = api.result("POST", "/d1/database", {"name": "shape"})
    kept = {key: made[key] for key in made if key not in {"uuid", "created_at"}}
    assert kept == {
        "name": "shape",
        "version": "production",
        "num_tables": 0,
        "file_size": 12288,
        "running_in_region": "WEUR",
        "jurisdiction": None,
        "read_replication": {"mode": "disabled"},
    }


def test_a_name_is_given_once(api: Api) -> None:
    api.database("only-once")
    assert api.refusal("POST", "/d1/database", {"name": "only-once"}) == (400, 7502, "Database with name 'only-once' already exists")


@pytest.mark.parametrize("name", [None, "", 7, "a b", "a/b"])
def test_a_malformed_name_is_refused(api: Api, name: object) -> None:
    assert api.refusal("POST", "/d1/database", {"name": name})[:2] == (400, 7400)


def test_a_database_of_the_same_name_made_after_a_deletion_is_empty(api: Api) -> None:
    first = api.database("again")
    api.query(first, "CREATE TABLE t(a)")
    api.result("DELETE", f"/d1/database/{first}")
    second = api.database("again")
    assert api.query(second, "SELECT name FROM sqlite_master WHERE name = 't'") == [[]]


def test_tables_are_counted_without_the_internal_ones(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT)")
    assert api.result("GET", f"/d1/database/{database}")["num_tables"] == 1


def test_parameters_are_bound(api: Api) -> None:
    assert api.query(api.database(), "SELECT ? AS a, ? AS b, ? AS c, ? AS d", "x'", 1.5, None, True) == [  # noqa: FBT003
        [{"a": "x'", "b": 1.5, "c": None, "d": 1}]
    ]


def test_each_statement_of_a_text_has_its_own_result_and_meta(api: Api) -> None:
    database = api.database()
    sql = "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); SELECT a FROM t WHERE a = 2; -- the end;"
    results = api.result("POST", f"/d1/database/{database}/query", {"sql": sql})
    assert [result["results"] for result in results] == [[], [], [{"a": 2}]]
    assert [result["success"] for result in results] == [True, True, True]
    assert [result["meta"]["changes"] for result in results] == [0, 2, 0]
    assert results[1]["meta"]["last_row_id"] == 2
    assert {"rows_read", "rows_written", "duration", "size_after", "served_by", "changed_db"} <= results[2]["meta"].keys()


@pytest.mark.parametrize(
    "body",
    [
        {"sql": "INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); INSERT INTO nope VALUES(3);"},
        {"batch": [{"sql": "INSERT INTO t VALUES(?)", "params": [1]}, {"sql": "INSERT INTO nope VALUES(?)", "params": [2]}]},
    ],
)
def test_a_failing_statement_leaves_nothing_of_its_request(api: Api, body: dict[str, object]) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    assert api.refusal("POST", f"/d1/database/{database}/query", body) == (400, 7500, "no such table: nope: SQLITE_ERROR")
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 0}]]


def test_a_batch_binds_the_parameters_of_each_statement(api: Api) -> None:
    batch = [{"sql": "SELECT ? AS a", "params": [1]}, {"sql": "SELECT ? AS a", "params": ["two"]}]
    results = api.result("POST", f"/d1/database/{api.database()}/query", {"batch": batch})
    assert [result["results"] for result in results] == [[{"a": 1}], [{"a": "two"}]]


def test_raw_keeps_columns_of_one_name_and_of_no_rows(api: Api) -> None:
    database = api.database()
    results = api.result("POST", f"/d1/database/{database}/raw", {"sql": "SELECT 1 AS a, 2 AS a; SELECT 1 AS b WHERE 0"})
    assert [result["results"] for result in results] == [{"columns": ["a", "a"], "rows": [[1, 2]]}, {"columns": ["b"], "rows": []}]


@pytest.mark.parametrize("sql", ["BEGIN", "begin immediate", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "ATTACH 'x' AS y"])
def test_transactions_and_attached_files_are_refused(api: Api, sql: str) -> None:
    assert api.refusal("POST", f"/d1/database/{api.database()}/query", {"sql": f"SELECT 1; {sql};"})[:2] == (400, 7500)


def test_foreign_keys_are_always_on(api: Api) -> None:
    database = api.database()
    api.query(database, "PRAGMA foreign_keys = OFF; CREATE TABLE p(id PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id))")
    status, code, text = api.refusal("POST", f"/d1/database/{database}/query", {"sql": "INSERT INTO c VALUES(1)"})
    assert (status, code) == (400, 7500)
    assert text.startswith("FOREIGN KEY constraint failed: SQLITE_CONSTRAINT")


def test_a_trigger_with_inner_semicolons_is_one_statement(api: Api) -> None:
    database = api.database()
    trigger = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES('a;b'); UPDATE t SET a = CASE WHEN 1 THEN 2 END; END;"
    api.query(database, f"CREATE TABLE t(a); CREATE TABLE log(a); {trigger} INSERT INTO t VALUES(1);")
    assert api.query(database, "SELECT t.a, log.a AS l FROM t, log") == [[{"a": 2, "l": "a;b"}]]


@pytest.mark.parametrize("sql", ["", "  ", "-- only a comment; no more", "/* a */;"])
def test_sql_without_a_statement_is_refused(api: Api, sql: str) -> None:
    assert api.refusal("POST", f"/d1/database/{api.database()}/query", {"sql": sql}) == (400, 7500, "No SQL statements detected.")


@pytest.mark.parametrize("body", [{}, {"sql": 1}, {"batch": "x"}, {"batch": [1]}, {"sql": "SELECT ?", "params": [{}]}, []])
def test_a_malformed_query_is_refused(api: Api, body: object) -> None:
    assert api.refusal("POST", f"/d1/database/{api.database()}/query", body)[:2] == (400, 7400)


def test_a_query_of_an_unknown_database_is_refused(api: Api) -> None:
    assert api.refusal("POST", "/d1/database/10ca1000-0000-4000-8000-000000000000/query", {"sql": "SELECT 1"})[:2] == (404, 7404)


def test_bookmarks_grow(api: Api) -> None:
    path = f"/d1/database/{api.database()}/time_travel/bookmark"
    first, second = (api.result("GET", path)["bookmark"] for _ in range(2))
    assert [len(part) for part in first.split("-")] == [8, 8, 8, 32]
    assert first < second


def test_lists_are_paged(api: Api) -> None:
    for number in range(3):
        api.database(f"paged-{number}")
    reply = api.call("GET", "/d1/database?per_page=2&page=2").json()
    assert len(reply["result"]) == reply["result_info"]["count"] <= 2
    assert reply["result_info"]["page"] == 2
    assert reply["result_info"]["total_count"] >= 3
