"""What the local cloud does not emulate, it refuses."""

import httpx
import pytest

from tests.cloud import Api

pytestmark = pytest.mark.cloud


def test_an_unemulated_route_answers_501_and_names_the_call(api: Api) -> None:
    text = f"The local cloud does not emulate GET /accounts/{api.running.account_id}/r2/buckets"
    assert api.refusal("GET", "/r2/buckets") == (501, 10404, text)
    assert api.refusal("DELETE", "/workers/subdomain")[0] == 501


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/client/v4", "/"),
        ("GET", "/client/v4/zones", "/zones"),
        ("PUT", "/client/v4/user", "/user"),
        ("OPTIONS", "/client/v4/accounts", "/accounts"),
        ("TRACE", "/client/v4/memberships", "/memberships"),
        ("PURGE", "/client/v4/zones/", "/zones/"),
        ("GET", "/", "/"),
        ("POST", "/client/v3/accounts", "/client/v3/accounts"),
        ("POST", "/d1-files/x", "/d1-files/x"),
    ],
)
def test_every_method_and_path_gets_an_answer(api: Api, method: str, path: str, name: str) -> None:
    reply = api.http.request(method, api.running.api_url.removesuffix("/client/v4") + path)
    errors = [{"code": 10404, "message": f"The local cloud does not emulate {method} {name}"}]
    assert (reply.status_code, reply.json()) == (501, {"success": False, "errors": errors, "messages": [], "result": None})


def test_a_caller_without_a_token_learns_nothing(api: Api) -> None:
    assert httpx.get(f"{api.running.api_url}/zones", trust_env=False, timeout=60).status_code == 400


def test_the_account_has_a_workers_dev_subdomain(api: Api) -> None:
    assert api.result("GET", "/workers/subdomain") == {"subdomain": "automation-ab6"}
