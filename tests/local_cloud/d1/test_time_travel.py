"""Time Travel: each write gets a higher bookmark; a restore works in place, can be undone, and survives a kill."""

import contextlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_cloud.d1.history import KEPT_STATES
from local_cloud.d1.routes.time_travel import RESTORES
from local_cloud.daemon import Running
from tests.cloud import Api, Body, api_of

pytestmark = pytest.mark.cloud


def bookmark(api: Api, database: str, moment: datetime | None = None) -> str:
    path = f"/d1/database/{database}/time_travel/bookmark"
    reply = api.http.get(
        f"{api.running.api_url}/accounts/{api.running.account_id}{path}", params={} if moment is None else {"timestamp": moment.isoformat()}
    )
    return str(reply.raise_for_status().json()["result"]["bookmark"])


def restore(api: Api, database: str, to: str) -> Body:
    result: Body = api.result("POST", f"/d1/database/{database}/time_travel/restore?{to}")
    return result


def test_a_bookmark_grows_with_each_write_and_only_with_a_write(api: Api) -> None:
    database = api.database()
    bookmarks = [bookmark(api, database)]
    for sql in ("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(1)", "UPDATE t SET a = a", "DELETE FROM t"):
        api.query(database, sql)
        bookmarks.append(bookmark(api, database))
        api.query(database, "SELECT * FROM t")
        assert bookmark(api, database) == bookmarks[-1]
    assert bookmarks == sorted(set(bookmarks))
    assert all([len(part) for part in text.split("-")] == [8, 8, 8, 32] for text in bookmarks)


def test_a_view_that_only_newer_versions_of_sqlite_can_read_stops_neither_bookmarks_nor_a_restore(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(2), (1)")
    api.query(database, "CREATE VIEW v AS SELECT group_concat(a, ',' ORDER BY a) AS every FROM t")
    before = bookmark(api, database)
    api.query(database, "SELECT * FROM v")
    assert bookmark(api, database) == before
    api.query(database, "DELETE FROM t")
    assert bookmark(api, database) > before
    restore(api, database, f"bookmark={before}")
    assert api.query(database, "SELECT every FROM v") == [[{"every": "1,2"}]]


def test_two_databases_share_no_bookmark(api: Api) -> None:
    assert bookmark(api, api.database()) != bookmark(api, api.database())


def test_a_restore_brings_data_and_schema_back_in_place_and_can_be_undone(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    good = bookmark(api, database)
    api.query(database, "DROP TABLE t; CREATE TABLE u(b); INSERT INTO u VALUES(2)")
    bad = bookmark(api, database)
    back = restore(api, database, f"bookmark={good}")
    assert back["previous_bookmark"] == bad
    assert back["bookmark"] == bookmark(api, database) > bad
    assert good in back["message"]
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]
    assert api.refusal("POST", f"/d1/database/{database}/query", {"sql": "SELECT * FROM u"})[2] == "no such table: u: SQLITE_ERROR"
    forward = restore(api, database, f"bookmark={back['previous_bookmark']}")
    assert forward["previous_bookmark"] == back["bookmark"]
    assert api.query(database, "SELECT b FROM u") == [[{"b": 2}]]
    api.query(database, "INSERT INTO u VALUES(3)")
    assert api.query(database, "SELECT b FROM u") == [[{"b": 2}, {"b": 3}]]


def began(api: Api, state: str) -> datetime:
    """When the state of a bookmark was first seen, as its file says: the clock of this test may be put back meanwhile."""
    (file,) = api.running.folder.rglob(f"{state}.*.sqlite")
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(file.name.split(".")[1]) // 1000)


def test_a_timestamp_gives_the_state_of_that_moment(api: Api) -> None:
    database = api.database()
    created = bookmark(api, database)
    api.query(database, "CREATE TABLE t(a)")
    written = bookmark(api, database)
    moment = began(api, written)
    api.query(database, "INSERT INTO t VALUES(1)")
    assert bookmark(api, database, began(api, created)) == created
    assert bookmark(api, database, moment - timedelta(microseconds=1)) == created
    assert bookmark(api, database, moment) == written
    assert bookmark(api, database, moment.astimezone(tz=None)) == written
    assert bookmark(api, database, datetime.now(UTC) + timedelta(days=1)) == bookmark(api, database)
    restore(api, database, f"timestamp={moment.isoformat().replace('+00:00', 'Z')}")
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 0}]]


def test_the_state_at_a_timestamp_contains_what_workers_wrote_before_it(api: Api) -> None:
    database, worker = api.database(), api.worker()
    api.query(database, "CREATE TABLE t(a)")
    code = "export default { async fetch(r, env) { await env.DB.exec('INSERT INTO t VALUES(1)'); return new Response(); } };"
    api.deploy(worker, (api.upload(worker, code, bindings=[{"name": "DB", "type": "d1", "database_id": database}]), 100))
    assert api.edge(worker).status_code == 200
    kept = bookmark(api, database, datetime.now(UTC) + timedelta(days=1))
    assert kept == bookmark(api, database)
    api.query(database, "DELETE FROM t")
    restore(api, database, f"bookmark={kept}")
    assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]


def test_an_invalid_restore_is_refused_and_changes_nothing(api: Api) -> None:
    database, other = api.database(), api.database()
    api.query(database, "CREATE TABLE t(a)")
    now, path = bookmark(api, database), f"/d1/database/{database}/time_travel"
    wrong = [
        "",
        "?bookmark=00000000",
        f"?bookmark={bookmark(api, other)}",
        "?bookmark=../x",
        "?timestamp=yesterday",
        "?timestamp=2020-01-01T00:00:00Z",
    ]
    for query in [*wrong, f"?bookmark={now}&timestamp=2020-01-01T00:00:00Z"]:
        assert api.refusal("POST", f"{path}/restore{query}")[:2] == (400, 7400)
    assert api.refusal("GET", f"{path}/bookmark?timestamp=2020-01-01T00:00:00Z")[:2] == (400, 7400)
    assert bookmark(api, database) == now
    unknown = "/d1/database/10ca1000-0000-4000-8000-000000000000/time_travel"
    assert api.refusal("GET", f"{unknown}/bookmark")[:2] == api.refusal("POST", f"{unknown}/restore?bookmark={now}")[:2] == (404, 7404)


def test_ten_restores_in_ten_minutes_are_the_limit(api: Api) -> None:
    database = api.database()
    now = bookmark(api, database)
    for _ in range(RESTORES):
        restore(api, database, f"bookmark={now}")
    assert api.refusal("POST", f"/d1/database/{database}/time_travel/restore?bookmark={now}")[:2] == (429, 7429)


def test_no_query_is_lost_or_sees_half_a_restore(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE a(x); CREATE TABLE b(x); INSERT INTO a VALUES(1); INSERT INTO b VALUES(1)")
    good = bookmark(api, database)
    api.query(database, "UPDATE a SET x = 2; UPDATE b SET x = 2")
    with ThreadPoolExecutor(8) as pool:
        queries = [pool.submit(api.query, database, "SELECT a.x AS a, b.x AS b FROM a, b") for _ in range(40)]
        restore(api, database, f"bookmark={good}")
        queries += [pool.submit(api.query, database, "SELECT a.x AS a, b.x AS b FROM a, b") for _ in range(10)]
        answers = [future.result() for future in queries]
    assert all(rows in ([[{"a": 1, "b": 1}]], [[{"a": 2, "b": 2}]]) for rows in answers)
    assert answers[40:] == [[[{"a": 1, "b": 1}]]] * 10


def test_only_the_newest_states_are_kept(api: Api) -> None:
    database = api.database()
    first = bookmark(api, database)
    api.query(database, "CREATE TABLE t(a)")
    for number in range(KEPT_STATES):
        api.query(database, "INSERT INTO t VALUES(?)", number)
    assert api.refusal("POST", f"/d1/database/{database}/time_travel/restore?bookmark={first}")[:2] == (400, 7400)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_restore_survives_a_kill_or_did_not_happen(acknowledged: bool, tmp_path: Path, begin: Callable[..., Running]) -> None:  # noqa: FBT001
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        database = api.database()
        api.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
        good = bookmark(api, database)
        api.query(database, "INSERT INTO t VALUES(zeroblob(1500000)); INSERT INTO t VALUES(2)")
        with ThreadPoolExecutor(1) as pool:
            restoring = pool.submit(api.call, "POST", f"/d1/database/{database}/time_travel/restore?bookmark={good}")
            if acknowledged:
                assert restoring.result().status_code == 200
            os.kill(running.pid, signal.SIGKILL)
            restoring.exception()
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        rows = [[{"n": 1}]] if acknowledged else [[{"n": 3}], [{"n": 1}]]
        assert api.query(database, "SELECT count(*) AS n FROM t")[0] in rows
        assert api.query(database, "PRAGMA quick_check") == [[{"quick_check": "ok"}]]
        assert restore(api, database, f"bookmark={good}")["previous_bookmark"] > good
        assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]


def test_a_bookmark_is_the_same_after_a_restart(tmp_path: Path, begin: Callable[..., Running]) -> None:
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        database = api.database()
        api.query(database, "CREATE TABLE t(a)")
        before = bookmark(api, database)
    os.kill(running.pid, signal.SIGKILL)
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        assert bookmark(api, database) == before
        api.query(database, "INSERT INTO t VALUES(1)")
        assert bookmark(api, database) > before


def test_a_state_that_a_kill_came_before_is_kept_by_the_next_process(tmp_path: Path, begin: Callable[..., Running]) -> None:
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        database = api.database()
        api.query(database, "CREATE TABLE t(a)")
        before = bookmark(api, database)
        api.query(database, "INSERT INTO t VALUES(1)")
    os.kill(running.pid, signal.SIGKILL)
    for state in later_states(running, before):
        state.unlink()
    running = begin(tmp_path)
    with contextlib.closing(api_of(running).http) as http:
        api = Api(running, http)
        api.query(database, "INSERT INTO t VALUES(2)")
        last = bookmark(api, database)
        left_out, _ = later_states(running, before)
        assert left_out.name.partition(".")[0] < last
        restore(api, database, f"bookmark={left_out.name.partition('.')[0]}")
        assert api.query(database, "SELECT a FROM t") == [[{"a": 1}]]


def later_states(running: Running, bookmark: str) -> list[Path]:
    """The files of the states after a bookmark, oldest first."""
    return sorted(file for file in running.folder.rglob("*-*-*-*.*.sqlite") if file.name > f"{bookmark}.~")


def test_concurrent_restores_and_a_deletion_run_one_after_the_other(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    now, path = bookmark(api, database), f"/d1/database/{database}"
    with ThreadPoolExecutor(8) as pool:
        restored = [pool.submit(api.call, "POST", f"{path}/time_travel/restore?bookmark={now}") for _ in range(4)]
        queries = [pool.submit(api.call, "POST", f"{path}/query", {"sql": "SELECT * FROM t"}) for _ in range(4)]
        deleted = pool.submit(api.call, "DELETE", path)
        statuses = {call.result().status_code for call in [*restored, *queries]}
    assert deleted.result().status_code == 200
    assert statuses <= {200, 404}
    assert api.refusal("POST", f"{path}/query", {"sql": "SELECT 1"})[:2] == (404, 7404)


def test_the_time_of_its_creation_gives_the_empty_database(api: Api) -> None:
    made = api.result("POST", "/d1/database", {"name": "travels-to-its-creation"})
    api.query(made["uuid"], "CREATE TABLE t(a)")
    restore(api, made["uuid"], f"timestamp={made['created_at']}")
    assert api.result("GET", f"/d1/database/{made['uuid']}")["num_tables"] == 0
