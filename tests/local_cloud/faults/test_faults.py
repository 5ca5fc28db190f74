"""Each kind of fault does what real failures do to a client, happens at exactly the chosen call, and ends with its block."""

import dataclasses
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from crane_infra.rehearsal.process import happens
from local_cloud.daemon import Running
from local_cloud.errors import LocalCloudError
from local_cloud.faults.client import Faults
from local_cloud.faults.model import (
    Behave,
    CommitThenDelay,
    CommitThenHold,
    Delay,
    Drop,
    Error,
    FailStatement,
    FewerResults,
    Hold,
    Reply,
    Then,
)
from local_cloud.server.admin import ROUTES
from tests.cloud import Api

pytestmark = pytest.mark.cloud

QUERY = "POST /accounts/{a}/d1/database/{id}/query"
SUBDOMAIN = "GET /accounts/{a}/workers/subdomain"
INSERT = "INSERT INTO t VALUES(1)"


@pytest.fixture
def table(api: Api, faults: Faults) -> str:
    """A database with an empty table, created before calls are counted."""
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    faults.reset()
    return database


def insert(api: Api, database: str) -> httpx.Response:
    return api.call("POST", f"/d1/database/{database}/query", {"sql": INSERT})


def rows(api: Api, database: str) -> int:
    return int(api.query(database, "SELECT count(*) AS n FROM t")[0][0]["n"])


# Kinds of faults


@pytest.mark.parametrize(("when", "stays"), [("before-read", 0), ("after-read", 0), ("after-commit", 1)])
def test_a_dropped_connection_is_a_transport_error_and_only_after_commit_the_row_is_there(
    api: Api, faults: Faults, table: str, when: str, stays: int
) -> None:
    with faults.fault(QUERY, Drop(when)) as fault, pytest.raises(httpx.TransportError):  # type: ignore[arg-type]
        insert(api, table)
    assert fault.fired == 1
    assert (rows(api, table), faults.executed(INSERT, table)) == (stays, stays)


def test_a_reply_that_is_cut_in_its_body_has_its_head_and_a_part(api: Api, faults: Faults, table: str) -> None:
    got: list[bytes] = []
    with (
        faults.fault(QUERY, Drop("mid-body")),
        api.http.stream(
            "POST", f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database/{table}/query", json={"sql": INSERT}
        ) as cut,
    ):
        assert cut.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            got.extend(cut.iter_raw())
    assert sum(map(len, got)) == int(cut.headers["content-length"]) // 2
    assert rows(api, table) == 1


def test_a_drop_before_the_read_does_not_wait_for_the_body(api: Api, faults: Faults, table: str) -> None:
    chunks = iter(range(100_000))
    url = f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database/{table}/query"
    with faults.fault(QUERY, Drop("before-read")), pytest.raises(httpx.TransportError):
        api.http.post(url, content=(bytes(1000) for _ in chunks))
    assert next(chunks) < 99_999


def test_a_call_aborted_before_its_body_arrived_gets_no_fault(api: Api, faults: Faults, table: str) -> None:
    port = urlsplit(api.running.api_url).port
    head = f"POST /client/v4/accounts/{api.running.account_id}/d1/database/{table}/query HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    with faults.fault(QUERY, Error(500, 1, "met")) as fault:
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(f"{head}Authorization: Bearer {api.running.token}\r\nContent-Length: 100\r\n\r\n".encode())
            assert happens(lambda: len(faults.calls()) == 1, 60)
        assert fault.fired == 0
        assert insert(api, table).json()["errors"] == [{"code": 1, "message": "met"}]
        assert fault.fired == 1


def test_a_raw_reply_is_passed_on_as_it_is(api: Api, faults: Faults, table: str) -> None:
    page = Reply(520, "<html>Web server is returning an unknown error</html>", {"Content-Type": "text/html", "Retry-After": "3"})
    with faults.fault(QUERY, page):
        reply = insert(api, table)
    assert (reply.status_code, reply.text) == (520, page.body)
    assert (reply.headers["content-type"], reply.headers["retry-after"]) == ("text/html", "3")
    assert rows(api, table) == 0


def test_an_error_uses_cloudflares_envelope(api: Api, faults: Faults) -> None:
    with faults.fault(SUBDOMAIN, Error(429, 971, "slow down", {"retry-after": "600"})):
        reply = api.call("GET", "/workers/subdomain")
    errors = [{"code": 971, "message": "slow down"}]
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "600")
    assert reply.json() == {"success": False, "errors": errors, "messages": [], "result": None}


def test_a_delay_comes_before_the_handler_and_a_late_reply_after_it(api: Api, faults: Faults, table: str) -> None:
    early, late = Delay(60), CommitThenDelay(60)
    for then, stays in ((early, 0), (late, 1)):
        with faults.fault(QUERY, then), pytest.raises(httpx.ReadTimeout):
            api.http.post(
                f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database/{table}/query", json={"sql": INSERT}, timeout=0.5
            )
        assert happens(lambda: (rows(api, table), faults.executed(INSERT)) == (stays, stays), 60)  # noqa: B023 (asked at once)


@pytest.mark.parametrize(("then", "meanwhile"), [(Hold(), 0), (CommitThenHold(), 1)], ids=["before the handler", "after it"])
@pytest.mark.parametrize("ends", ["the fault", "all of them"])
def test_a_call_waits_until_its_fault_ends(api: Api, faults: Faults, table: str, then: Then, meanwhile: int, ends: str) -> None:
    with faults.fault(QUERY, then) as fault, ThreadPoolExecutor() as threads:
        reply = threads.submit(insert, api, table)
        assert happens(lambda: fault.fired == 1 and rows(api, table) == meanwhile, 60)
        assert not reply.done()
        fault.end() if ends == "the fault" else faults.reset()
        assert reply.result(60).json()["success"] is True
    assert rows(api, table) == 1


def test_one_statement_can_fail_under_a_success(api: Api, faults: Faults, table: str) -> None:
    with faults.fault(QUERY, FailStatement(1, "D1_ERROR: injected")):
        reply = api.call("POST", f"/d1/database/{table}/query", {"sql": "SELECT 1; SELECT 2; SELECT 3"}).json()
    assert reply["success"] is True
    assert [result["success"] for result in reply["result"]] == [True, False, True]
    assert reply["result"][1]["error"] == "D1_ERROR: injected"


def test_a_reply_can_lack_results(api: Api, faults: Faults, table: str) -> None:
    with faults.fault(QUERY, FewerResults(2)):
        results = api.result("POST", f"/d1/database/{table}/query", {"sql": "SELECT 1 AS a; SELECT 2; SELECT 3"})
    assert [result["results"] for result in results] == [[{"a": 1}]]


def test_a_fault_that_does_not_fit_the_reply_answers_500(api: Api, faults: Faults, table: str) -> None:
    with faults.fault(QUERY, FailStatement(1)):
        reply = api.call("POST", f"/d1/database/{table}/query", {"sql": "SELECT 1"})
    assert (reply.status_code, reply.json()["errors"][0]["message"]) == (500, "this fault needs 2 results, the reply has 1")


def test_a_switch_can_be_set_for_one_call(api: Api, faults: Faults, table: str) -> None:
    batch = {"sql": "INSERT INTO t VALUES(1); INSERT INTO nowhere VALUES(1)"}
    with faults.fault(QUERY, Behave({"atomic_batches": False}), nth=2):
        refused = [api.call("POST", f"/d1/database/{table}/query", batch).status_code for _ in range(3)]
    assert refused == [400] * 3
    assert rows(api, table) == 1


def test_a_switch_lasts_for_a_block_and_goes_back_to_what_it_was(api: Api, faults: Faults, table: str) -> None:
    batch = {"sql": "INSERT INTO t VALUES(1); INSERT INTO nowhere VALUES(1)"}
    before = faults.ask("GET", "/behaviour")
    with faults.behaviour(atomic_batches=False):
        api.call("POST", f"/d1/database/{table}/query", batch)
        with faults.behaviour(propagation_seconds=1.5):
            assert faults.ask("GET", "/behaviour") == {**before, "atomic_batches": False, "propagation_seconds": 1.5}
    api.call("POST", f"/d1/database/{table}/query", batch)
    assert faults.ask("GET", "/behaviour") == before
    assert rows(api, table) == 1


# Counting calls


def test_exactly_the_nth_call_gets_the_fault_and_its_handler_does_not_run(api: Api, faults: Faults, table: str) -> None:
    with faults.fault(QUERY, Error(500), nth=3) as fault:
        statuses = [insert(api, table).status_code for _ in range(5)]
        assert fault.fired == 1
    assert statuses == [200, 200, 500, 200, 200]
    assert rows(api, table) == 4


def test_a_fault_can_last_for_some_calls(api: Api, faults: Faults) -> None:
    faults.fail("GET /accounts/{account_id}/workers/subdomain", nth=2, status=429, code=971, message="slow down", times=2)
    statuses = [api.call("GET", "/workers/subdomain").status_code for _ in range(5)]
    assert statuses == [200, 429, 429, 200, 200]


def test_parallel_calls_are_counted_one_by_one(api: Api, faults: Faults, table: str) -> None:
    with faults.fault(QUERY, Error(503), nth=7, times=3) as fault, ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: insert(api, table).status_code, range(40)))
    assert Counter(replies) == {200: 37, 503: 3}
    assert fault.fired == 3
    assert faults.executed(INSERT, table) == 37


def test_two_rules_on_one_route_are_counted_each_for_itself(api: Api, faults: Faults) -> None:
    with faults.fault(SUBDOMAIN, Error(500)) as first:
        assert api.call("GET", "/workers/subdomain").status_code == 500
        with faults.fault(SUBDOMAIN, Error(429), nth=2) as second, faults.fault(SUBDOMAIN, Error(418), nth=2) as third:
            statuses = [api.call("GET", "/workers/subdomain").status_code for _ in range(3)]
            assert (first.fired, second.fired, third.fired) == (1, 1, 0)
    assert statuses == [200, 429, 200]


def test_other_routes_and_refused_callers_do_not_count(api: Api, faults: Faults) -> None:
    url = f"{api.running.api_url}/accounts/{api.running.account_id}/workers/subdomain"
    with faults.fault(SUBDOMAIN, Error(500)) as fault:
        api.call("GET", "/workers/scripts")
        for token in ("?", "unknown", faults.token("D1 Write")):
            assert httpx.get(url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60).status_code in {400, 401, 403}
        assert fault.fired == 0
        assert api.call("GET", "/workers/subdomain").status_code == 500


def test_a_reset_ends_latencies_too(api: Api, faults: Faults) -> None:
    with faults.latency(None, 60), faults.latency(SUBDOMAIN, 60):
        faults.reset()
        assert api.result("GET", "/workers/subdomain")


def test_a_fault_ends_with_its_block_and_with_a_reset(api: Api, faults: Faults) -> None:
    with faults.fault(SUBDOMAIN, Error(500), times=100):
        pass
    assert api.result("GET", "/workers/subdomain")
    with faults.fault(SUBDOMAIN, Error(500), times=100) as forgotten:
        assert (api.call("GET", "/workers/subdomain").status_code, forgotten.fired) == (500, 1)
        faults.reset()
        assert api.result("GET", "/workers/subdomain")
    assert forgotten.fired == 1


# Latency


def test_latency_is_that_of_a_route_and_that_of_all(api: Api, faults: Faults) -> None:
    account = f"{api.running.api_url}/accounts"
    with faults.latency(SUBDOMAIN, 60):
        assert api.http.get(account, timeout=60).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            api.http.get(f"{account}/{api.running.account_id}/workers/subdomain", timeout=0.3)
    with faults.latency(None, 60), pytest.raises(httpx.ReadTimeout):
        api.http.get(account, timeout=0.3)
    assert api.http.get(account, timeout=60).status_code == 200


# Refused rules


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"route": "GET /nowhere", "then": {"kind": "error", "status": 500}}, "no such route: GET /nowhere"),
        ({"route": QUERY, "nth": 0, "then": {"kind": "error", "status": 500}}, "nth: Input should be greater than or equal to 1"),
        ({"route": QUERY, "then": {"kind": "explode"}}, "then: Input tag 'explode' found using 'kind' does not match"),
        ({"route": QUERY, "then": {"kind": "delay", "secs": 1}}, "then.delay.secs: "),
        ({"route": QUERY, "then": {"kind": "drop", "when": "never"}}, "then.drop.when: Input should be 'before-read', 'after-read'"),
        ({"route": QUERY, "then": {"kind": "behave", "switches": {"atomic": False}}}, "atomic: Extra inputs are not permitted"),
        (
            {"route": QUERY, "then": {"kind": "behave", "switches": {"provider_pause_factor": 0}}},
            "provider_pause_factor: is no switch of a single",
        ),
        ({"route": QUERY, "then": {"kind": "reply", "status": 200, "headers": {"Content-Length": "9"}}}, "the server sets Content-Length"),
        ({"route": QUERY, "then": {"kind": "reply", "status": 200, "headers": {"a": "b\r\nc: d"}}}, "a cannot be sent"),
        ({"route": QUERY, "on": 1, "then": {"kind": "error", "status": 500}}, "on: Unexpected keyword argument"),
        ({"route": SUBDOMAIN, "then": {"kind": "fail-statement", "index": 0}}, "its reply has no results of statements"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_that_could_never_happen_is_refused(faults: Faults, rule: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is looked at)
        faults.ask("POST", "/faults", rule)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("route", "nth", "then", "words"),
    [
        ("GET /nowhere", 1, Error(500), "no such route"),
        (QUERY, 0, Error(500), "greater than"),
        (SUBDOMAIN, 1, FewerResults(), "no results"),
    ],
)
def test_the_client_raises_a_value_error(faults: Faults, route: str, nth: int, then: Then, words: str) -> None:
    with pytest.raises(ValueError, match=words), faults.fault(route, then, nth=nth):
        pass
    with pytest.raises(ValueError, match=r"validation error for Delay"):
        Delay(-1)
    with pytest.raises(ValueError, match=r"atomic: Extra inputs"), faults.behaviour(atomic=False):
        pass


# Who may use the admin port


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"host": "evil.example:80"}, {"origin": "https://evil.example"}])
def test_the_admin_port_refuses_requests_from_web_pages(api: Api, headers: dict[str, str]) -> None:
    own = {"authorization": f"Bearer {api.running.admin_token}"}
    reply = httpx.post(f"{api.running.admin_url}/reset", headers=headers | own, trust_env=False, timeout=60)
    assert (reply.status_code, reply.json()) == (403, {"error": "this port answers programs on this machine only"})


@pytest.mark.parametrize("route", ROUTES)
def test_every_call_to_the_admin_port_needs_its_token(api: Api, route: str) -> None:
    method, _, path = route.partition(" ")
    for given in (None, "", api.running.admin_token, "Bearer", "Bearer other", "Bearer ä", f"Bearer {api.running.token}"):
        headers = {} if given is None else {b"authorization": given.encode()}
        reply = httpx.request(method, api.running.admin_url + path.replace("{id:int}", "1"), headers=headers, trust_env=False, timeout=60)
        assert (reply.status_code, reply.json()) == (
            401,
            {"error": "the admin port needs the header 'Authorization: Bearer' with the admin_token of cloud.json"},
        )


def test_the_client_says_in_one_line_that_its_token_is_of_an_earlier_start(cloud: Running) -> None:
    with pytest.raises(LocalCloudError) as refused:
        Faults(dataclasses.replace(cloud, admin_token="earlier")).reset()
    assert str(refused.value) == (
        f"{cloud.admin_url}: the admin port needs the header 'Authorization: Bearer' with the admin_token of cloud.json. "
        "Read cloud.json again: each start of the cloud makes another token."
    )
