"""Databases: created, found, changed and deleted."""

from pathlib import Path

import pytest

from local_cloud.daemon import Running
from local_cloud.ids import is_local
from local_cloud.workerd.paths import database_file
from tests.cloud import Api

pytestmark = pytest.mark.cloud


def test_a_database_lives_from_creation_to_deletion(api: Api) -> None:
    made = api.result("POST", "/d1/database", {"name": "life", "read_replication": {"mode": "disabled"}})
    path = f"/d1/database/{made['uuid']}"
    assert is_local(made["uuid"])
    assert made == api.result("GET", path)
    assert [database["uuid"] for database in api.result("GET", "/d1/database?name=life")] == [made["uuid"]]
    assert api.result("GET", "/d1/database?name=lif") == []
    assert api.result("PATCH", path, {"read_replication": {"mode": "auto"}})["read_replication"] == {"mode": "auto"}
    assert api.result("DELETE", path) is None
    assert api.refusal("GET", path) == (404, 7404, f"The database {made['uuid']} could not be found")


def test_a_new_database_has_the_recorded_format(api: Api) -> None:
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


def test_a_database_name_is_unique(api: Api) -> None:
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


def test_lists_are_paged(api: Api) -> None:
    for number in range(3):
        api.database(f"paged-{number}")
    reply = api.call("GET", "/d1/database?per_page=2&page=2").json()
    assert len(reply["result"]) == reply["result_info"]["count"] <= 2
    assert reply["result_info"]["page"] == 2
    assert reply["result_info"]["total_count"] >= 3


def test_lists_show_what_the_sdk_reads_and_no_more(api: Api) -> None:
    database = api.database("listed")
    (listed,) = api.result("GET", "/d1/database?name=listed")
    assert listed == {"uuid": database, "name": "listed", "version": "production", "created_at": listed["created_at"], "jurisdiction": None}


def test_size_and_tables_are_those_of_real_use(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE a(x); CREATE TABLE b(x); CREATE VIEW c AS SELECT 1; INSERT INTO a VALUES(zeroblob(100000))")
    shown = api.result("GET", f"/d1/database/{database}")
    assert shown["num_tables"] == 2
    assert shown["file_size"] > 100_000


def test_a_database_is_found_by_its_name_and_shows_only_the_requested_fields(api: Api) -> None:
    database = api.database("by-name")
    assert api.result("GET", "/d1/database/by-name?fields=uuid,name") == {"uuid": database, "name": "by-name"}
    assert api.refusal("DELETE", "/d1/database/by-name")[:2] == (404, 7404)


def test_a_location_is_kept_and_an_unknown_one_refused(api: Api) -> None:
    made = api.result("POST", "/d1/database", {"name": "placed", "primary_location_hint": "enam", "jurisdiction": "eu"})
    assert (made["running_in_region"], made["jurisdiction"]) == ("ENAM", "eu")
    assert api.refusal("POST", "/d1/database", {"name": "x", "primary_location_hint": "moon"})[:2] == (400, 7400)
    assert api.refusal("POST", "/d1/database", {"name": "x", "jurisdiction": "moon"})[:2] == (400, 7400)


def test_a_malformed_change_is_refused(api: Api) -> None:
    path = f"/d1/database/{api.database()}"
    assert api.refusal("PUT", path, {})[:2] == (400, 7400)
    assert api.refusal("PATCH", path, {"read_replication": {"mode": "some"}})[:2] == (400, 7400)
    assert api.result("PATCH", path, {})["read_replication"] == {"mode": "disabled"}


def test_a_deleted_database_leaves_no_files(api: Api, cloud: Running) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    api.result("GET", f"/d1/database/{database}/time_travel/bookmark")
    folder = Path(cloud.folder)
    assert [path for path in folder.rglob("*") if database in path.parts]
    api.result("DELETE", f"/d1/database/{database}")
    assert not [path for path in folder.rglob("*") if database in path.parts]


def test_a_worker_that_binds_a_deleted_database_does_not_get_an_empty_one(api: Api, cloud: Running) -> None:
    database, worker = api.database(), api.worker()
    code = "export default { fetch: async (r, env) => Response.json(await env.DB.prepare('SELECT 1 AS one').first()) };"
    version = api.upload(worker, code, bindings=[{"name": "DB", "type": "d1", "database_id": database}])
    api.deploy(worker, (version, 100))
    assert api.edge(worker).json() == {"one": 1}
    api.result("DELETE", f"/d1/database/{database}")
    assert (api.edge(worker).status_code, api.edge(worker).text) == (500, "error code: 1101")
    assert not database_file(Path(cloud.folder) / "d1", database).exists()


def test_analytics_of_other_products_are_refused(api: Api) -> None:
    reply = api.http.post(f"{api.running.api_url}/graphql", json={"query": "query { viewer { zones { httpRequests1dGroups { sum } } } }"})
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (501, 10404)


def test_a_refused_database_does_not_stop_the_next_from_running(api: Api) -> None:
    """Any of these calls may be the one that adds spare databases to the runtime."""
    api.database("taken-often")
    for _ in range(10):
        assert api.refusal("POST", "/d1/database", {"name": "taken-often"})[1] == 7502
    assert api.query(api.database(), "SELECT 1 AS n") == [[{"n": 1}]]


def test_creating_databases_seldom_restarts_the_workers(api: Api) -> None:
    """A worker counts its requests until it is restarted."""
    worker = api.worker()
    code = "let asked = 0; export default { fetch: () => Response.json(++asked) };"
    api.deploy(worker, (api.upload(worker, code), 100))
    counts = []
    for _ in range(8):
        api.query(api.database(), "SELECT 1")
        counts.append(api.edge(worker).json())
    assert counts.count(1) <= 2
