"""A token allows what its permissions name and nothing else; refusals are Cloudflare's."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local_cloud import daemon
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.server.app import table
from local_cloud.tokens import Permission, needed
from tests.cloud import Api, Body, api_of, modules, start

pytestmark = pytest.mark.cloud

DENIED = (403, 10000, "Authentication error")
OTHER_ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def with_token(cloud: Running, faults: Faults) -> Iterator[Callable[..., Api]]:
    """Calls with a token that has only these permissions."""
    made: list[Api] = []

    def make(*permissions: Permission) -> Api:
        made.append(api_of(cloud, faults.token(*permissions)))
        return made[-1]

    yield make
    for api in made:
        api.http.close()


def curl(url: str, *arguments: str) -> tuple[int, Body]:
    """The status and body that curl gets."""
    command = ["curl", "--silent", "--noproxy", "*", "--write-out", "\n%{http_code}", *arguments, url]
    body, _, status = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rpartition("\n")
    return int(status), json.loads(body)


# Unknown callers


MISSING = {"code": 9106, "message": "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}
MALFORMED = {
    "code": 6003,
    "message": "Invalid request headers",
    "error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}],
}
WHOLE: Body = {"messages": [], "result": None}


@pytest.mark.parametrize(
    ("header", "status", "error", "rest"),
    [
        ("", 400, MISSING, {}),
        ("Basic dXNlcjpwYXNz", 400, MISSING, {}),
        ("0123456789012345678901234567890123456789", 400, MISSING, {}),
        ("Bearer with spaces in it", 400, MALFORMED, WHOLE),
        ("Bearer <token>", 400, MALFORMED, WHOLE),
        ("Bearer 0123456789012345678901234567890123456789", 401, {"code": 10000, "message": "Authentication error"}, WHOLE),
    ],
)
@pytest.mark.parametrize("path", ["/accounts/{a}/d1/database", "/accounts/{a}/workers/scripts", "/accounts", "/no/such/route"])
def test_a_caller_without_a_valid_token_gets_cloudflares_refusal(
    cloud: Running, header: str, status: int, error: Body, rest: Body, path: str
) -> None:
    url = cloud.api_url + path.format(a=cloud.account_id)
    assert curl(url, "--header", f"Authorization: {header}") == (status, {"success": False, "errors": [error], **rest})


BAD_KEY = {**MALFORMED, "error_chain": [{"code": 6103, "message": "Invalid format for X-Auth-Key header"}]}
UNKNOWN_KEY = {"code": 9103, "message": "Unknown X-Auth-Key or X-Auth-Email"}


@pytest.mark.parametrize(
    ("headers", "status", "error", "rest"),
    [
        ({"X-Auth-Email": "a@example.com", "X-Auth-Key": "0123456789abcdef0123456789abcdef01234"}, 403, UNKNOWN_KEY, {}),
        ({"X-Auth-Email": "a@example.com", "X-Auth-Key": "a token"}, 400, BAD_KEY, WHOLE),
        ({"X-Auth-Email": "a@example.com"}, 400, MISSING, {}),
    ],
)
def test_every_api_key_is_refused(cloud: Running, headers: dict[str, str], status: int, error: Body, rest: Body) -> None:
    given = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    assert curl(f"{cloud.api_url}/accounts", *given) == (status, {"success": False, "errors": [error], **rest})


@pytest.mark.parametrize("path", ["/user/tokens/verify", "/accounts/{a}/tokens/verify"])
def test_verifying_an_unknown_token_answers_invalid_api_token(cloud: Running, path: str) -> None:
    answer = curl(cloud.api_url + path.format(a=cloud.account_id), "--header", "Authorization: Bearer unknown")
    assert answer == (401, {"success": False, "errors": [{"code": 1000, "message": "Invalid API Token"}], **WHOLE})


@pytest.mark.parametrize("path", ["d1/database", "workers/scripts", "tokens/verify", "no/such/route"])
def test_calls_for_another_account_are_refused(cloud: Running, path: str) -> None:
    url = f"{cloud.api_url}/accounts/{OTHER_ACCOUNT}/{path}"
    error = {"code": 9109, "message": "Unauthorized to access requested resource"}
    assert curl(url, "--header", f"Authorization: Bearer {cloud.token}") == (403, {"success": False, "errors": [error], **WHOLE})


def test_a_token_without_the_permission_gets_cloudflares_refusal(cloud: Running, faults: Faults) -> None:
    url = f"{cloud.api_url}/accounts/{cloud.account_id}/d1/database"
    header = f"Authorization: Bearer {faults.token('Workers Scripts Write')}"
    assert curl(url, "--header", header) == (403, {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]})


# Known callers


def test_the_clouds_own_token_shows_its_user_and_account(api: Api) -> None:
    verified = api.http.get(f"{api.running.api_url}/user/tokens/verify").json()
    assert verified["result"]["status"] == "active"
    assert verified["messages"] == [{"code": 10000, "message": "This API Token is valid and active", "type": None}]
    account = api.http.get(f"{api.running.api_url}/accounts/{api.running.account_id}").json()["result"]
    assert account["id"] == "10ca10ca10ca10ca10ca10ca10ca10ca"
    assert api.http.get(f"{api.running.api_url}/accounts").json()["result"] == [account]
    (membership,) = api.http.get(f"{api.running.api_url}/memberships").json()["result"]
    assert (membership["account"], membership["status"]) == (account, "accepted")
    assert api.http.get(f"{api.running.api_url}/user").json()["result"]["email"] == "local-cloud@localhost"


def test_a_token_has_its_own_id_and_cannot_read_its_user(with_token: Callable[..., Api], api: Api) -> None:
    reader = with_token(Permission.D1_READ)
    ids = {calls.result("GET", "/tokens/verify")["id"] for calls in (reader, api)}
    assert len(ids) == 2
    refused = {path: reader.http.get(reader.running.api_url + path) for path in ("/user", "/memberships")}
    codes = {path: (reply.status_code, reply.json()["errors"][0]["code"]) for path, reply in refused.items()}
    assert codes == {"/user": (403, 9109), "/memberships": (403, 10000)}


# Permissions


@pytest.mark.parametrize("route", table())
def test_every_route_of_a_product_needs_a_permission_of_that_product(route: str) -> None:
    method, _, path = route.partition(" ")
    permission = needed(method, path)
    product = {"d1": "D1", "workers": "Workers Scripts"}.get((path.split("/") + [""] * 3)[3])
    reads = method == "GET" or path.endswith(("/query", "/raw", "/export"))
    if product:
        assert permission == f"{product} {'Read' if reads else 'Write'}"
    else:
        assert permission in {None, Permission.USER_READ, Permission.MEMBERSHIPS_READ}


def test_a_d1_read_token_reads_databases_and_cannot_write(api: Api, with_token: Callable[..., Api]) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    reader = with_token(Permission.D1_READ)
    path = f"/d1/database/{database}"
    assert reader.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 0}]]
    assert reader.result("POST", f"{path}/raw", {"sql": "SELECT 1"})
    assert reader.result("GET", path)["uuid"] == database
    for sql in ("INSERT INTO t VALUES(1)", "SELECT 1; DELETE FROM t", "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "DROP TABLE t"):
        for endpoint in ("query", "raw"):
            assert reader.refusal("POST", f"{path}/{endpoint}", {"sql": sql}) == DENIED
    assert reader.refusal("POST", "/d1/database", {"name": "x"}) == DENIED
    assert reader.refusal("PATCH", path, {"read_replication": {"mode": "auto"}}) == DENIED
    assert reader.refusal("POST", f"{path}/import", {"action": "init"}) == DENIED
    assert reader.refusal("DELETE", path) == DENIED
    assert reader.refusal("GET", "/workers/scripts") == DENIED
    assert api.query(database, "SELECT count(*) AS n FROM t") == [[{"n": 0}]]


def test_a_d1_write_token_writes_and_reads_databases_and_sees_no_worker(with_token: Callable[..., Api]) -> None:
    writer = with_token(Permission.D1_WRITE)
    database = writer.database()
    writer.query(database, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    assert writer.query(database, "SELECT a FROM t") == [[{"a": 1}]]
    assert writer.refusal("GET", "/workers/scripts") == DENIED
    assert writer.refusal("POST", "/workers/workers", {"name": "w"}) == DENIED


def test_a_workers_read_token_sees_workers_and_changes_nothing(api: Api, with_token: Callable[..., Api]) -> None:
    worker = api.worker()
    reader = with_token(Permission.WORKERS_READ)
    assert reader.result("GET", f"/workers/workers/{worker['id']}")["name"] == worker["name"]
    body = {"main_module": "index.js", "modules": modules("export default {}"), "compatibility_date": "2026-01-01"}
    assert reader.refusal("POST", f"/workers/workers/{worker['id']}/versions", body) == DENIED
    assert reader.refusal("POST", f"/workers/scripts/{worker['name']}/deployments", {}) == DENIED
    assert reader.refusal("PUT", f"/workers/scripts/{worker['name']}/schedules", []) == DENIED
    assert reader.refusal("DELETE", f"/workers/workers/{worker['id']}") == DENIED
    assert reader.refusal("GET", "/d1/database") == DENIED
    assert api.result("GET", f"/workers/workers/{worker['id']}/versions") == []


def test_a_workers_write_token_ships_a_worker(with_token: Callable[..., Api]) -> None:
    writer = with_token(Permission.WORKERS_WRITE)
    worker = writer.worker()
    writer.deploy(worker, (writer.upload(worker), 100))
    assert writer.edge(worker).text == "hello"
    assert writer.refusal("POST", "/d1/database", {"name": "x"}) == DENIED


def test_a_token_without_permissions_is_valid_but_may_use_no_product(with_token: Callable[..., Api]) -> None:
    nobody = with_token()
    assert nobody.result("GET", "/tokens/verify")["status"] == "active"
    assert nobody.refusal("GET", "/d1/database") == DENIED


# Lifetime


def test_a_revoked_token_is_unknown_and_the_clouds_own_cannot_be_revoked(with_token: Callable[..., Api], faults: Faults, api: Api) -> None:
    reader = with_token(Permission.D1_READ)
    token = reader.http.headers["authorization"].removeprefix("Bearer ")
    assert reader.call("GET", "/d1/database").status_code == 200
    assert (faults.revoke(token), faults.revoke(token), faults.revoke(api.running.token)) == (True, False, False)
    assert reader.refusal("GET", "/d1/database") == (401, 10000, "Authentication error")
    assert api.call("GET", "/d1/database").status_code == 200


def test_tokens_outlive_a_restart_and_only_their_digests_are_written(begin: Callable[..., Running], tmp_path: Path) -> None:
    first = begin(tmp_path)
    token = Faults(first).token(Permission.D1_READ)
    revoked = Faults(first).token(Permission.D1_READ)
    Faults(first).revoke(revoked)
    daemon.stop(tmp_path)
    again = start(tmp_path)
    url = f"{again.api_url}/accounts/{again.account_id}/d1/database"
    statuses = [
        httpx.get(url, headers={"authorization": f"Bearer {secret}"}, trust_env=False, timeout=60).status_code
        for secret in (token, revoked)
    ]
    assert statuses == [200, 401]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


def test_an_unknown_permission_is_refused(faults: Faults) -> None:
    with pytest.raises(ValueError, match=r"permissions\.0: Input should be 'D1 Read'"):
        faults.token("D1 Reed")
