"""Whom the cloud refuses, what it does not pretend to be, and the faults it makes on purpose."""

import httpx
import pytest

from crane_infra.local.faults.client import Faults
from tests.local.conftest import Api

QUERY = "POST /accounts/{a}/d1/database/{id}/query"


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}])
def test_a_wrong_token_is_refused(api: Api, header: dict[str, str]) -> None:
    for path in ("/user/tokens/verify", f"/accounts/{api.running.account_id}/d1/database", "/no/such/route"):
        reply = httpx.get(api.running.api_url + path, headers=header, trust_env=False)
        assert (reply.status_code, reply.json()["errors"]) == (401, [{"code": 10000, "message": "Authentication error"}])


@pytest.mark.parametrize("path", ["d1/database", "workers/scripts", "no/such/route"])
def test_another_account_is_never_served(api: Api, path: str) -> None:
    reply = api.http.get(f"{api.running.api_url}/accounts/0123456789abcdef0123456789abcdef/{path}")
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (403, 9109)


def test_what_is_not_emulated_says_so(api: Api) -> None:
    text = f"The local cloud does not emulate GET /accounts/{api.running.account_id}/r2/buckets"
    assert api.refusal("GET", "/r2/buckets") == (501, 10404, text)
    assert api.refusal("DELETE", "/workers/subdomain")[0] == 501


def test_the_account_says_who_it_is(api: Api) -> None:
    assert api.http.get(f"{api.running.api_url}/accounts").json()["result"][0]["id"] == "10ca10ca10ca10ca10ca10ca10ca10ca"
    assert api.http.get(f"{api.running.api_url}/user/tokens/verify").json()["result"]["status"] == "active"
    assert api.result("GET", "/workers/subdomain") == {"subdomain": "automation-ab6"}


def test_exactly_the_nth_call_fails_and_its_handler_does_not_run(api: Api, faults: Faults) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    faults.fail(QUERY, nth=2, status=500)
    body = {"sql": "INSERT INTO t VALUES(1)"}
    statuses = [api.call("POST", f"/d1/database/{database}/query", body).status_code for _ in range(4)]
    assert statuses == [200, 500, 200, 200]
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 3}]]


def test_a_fault_can_last_for_some_calls_with_its_own_words(api: Api, faults: Faults) -> None:
    faults.fail("GET /accounts/{account_id}/workers/subdomain", status=429, code=971, message="slow down", times=2)
    refused = [api.refusal("GET", "/workers/subdomain") for _ in range(2)]
    assert refused == [(429, 971, "slow down")] * 2
    assert api.result("GET", "/workers/subdomain")


def test_other_routes_do_not_count(api: Api, faults: Faults) -> None:
    faults.fail(QUERY)
    assert api.database()
    assert api.result("GET", "/workers/subdomain")


def test_a_reset_forgets_faults(api: Api, faults: Faults) -> None:
    faults.fail("GET /accounts/{a}/workers/subdomain")
    faults.reset()
    assert api.result("GET", "/workers/subdomain")


@pytest.mark.parametrize(("route", "nth", "words"), [("GET /nowhere", 1, "no such route: GET /nowhere"), (QUERY, 0, "nth and times are")])
def test_a_fault_that_could_never_happen_is_refused(faults: Faults, route: str, nth: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        faults.fail(route, nth=nth)


def test_every_call_is_in_the_log(api: Api, faults: Faults) -> None:
    api.call("GET", "/workers/subdomain?a=b")
    api.call("GET", "/nowhere")
    account = f"/accounts/{api.running.account_id}"
    assert faults.calls() == [
        {"method": "GET", "path": f"{account}/workers/subdomain", "route": "GET /accounts/{a}/workers/subdomain", "status": 200},
        {"method": "GET", "path": f"{account}/nowhere", "route": "unknown", "status": 501},
    ]
