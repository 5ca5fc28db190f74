"""curl shows the raw reply: status, content type and envelope of a success and of each kind of refusal."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from tests.cloud import HELLO, Api, Body

pytestmark = pytest.mark.cloud

UNKNOWN = "10ca1000-0000-4000-8000-000000000000"
Curl = Callable[..., tuple[int, str, Any]]


@pytest.fixture
def curl(cloud: Running) -> Curl:
    """Send a request, with the cloud's own token unless another is given, and give status, content type and JSON body."""

    def send(method: str, path: str, body: object = None, *arguments: str, token: str = "") -> tuple[int, str, Any]:
        url = f"{cloud.api_url}/accounts/{cloud.account_id}{path}"
        given = [] if body is None else ["--json", body if isinstance(body, str) else json.dumps(body)]
        command = ["curl", "--silent", "--noproxy", "*", "--request", method, "--header", f"Authorization: Bearer {token or cloud.token}"]
        command += ["--write-out", "\n%{http_code} %{content_type}", *given, *arguments, url]
        text, _, end = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rpartition("\n")
        status, _, content_type = end.partition(" ")
        return int(status), content_type, json.loads(text)

    return send


def refusal(code: int, message: str) -> Body:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


def test_a_success_has_the_whole_envelope(curl: Curl, api: Api) -> None:
    database = api.database()
    status, content_type, body = curl("POST", f"/d1/database/{database}/query", {"sql": "SELECT ? AS a", "params": ["x"]})
    assert (status, content_type, set(body)) == (200, "application/json", {"success", "errors", "messages", "result"})
    assert (body["success"], body["errors"], body["messages"]) == (True, [], [])
    assert body["result"][0]["results"] == [{"a": "x"}]
    page = curl("GET", "/d1/database?per_page=1")[2]
    assert set(page["result_info"]) == {"count", "page", "per_page", "total_count", "total_pages"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", f"/d1/database/{UNKNOWN}", None, (404, 7404, f"The database {UNKNOWN} could not be found")),
        ("POST", f"/d1/database/{UNKNOWN}/query", {"sql": "SELECT 1"}, (404, 7404, f"The database {UNKNOWN} could not be found")),
        ("POST", "/d1/database", {"name": "no name"}, (400, 7400, "The request is malformed: invalid property: name")),
        ("GET", "/workers/scripts/nobody/deployments", None, (404, 10007, "This Worker does not exist on your account.")),
        ("GET", "/workers/workers/nobody", None, (404, 10007, "This Worker does not exist on your account.")),
        ("PUT", "/workers/scripts/nobody/schedules", [], (404, 10007, "This Worker does not exist on your account.")),
        ("GET", "/stream", None, (501, 10404, "The local cloud does not emulate GET /accounts/10ca10ca10ca10ca10ca10ca10ca10ca/stream")),
    ],
)
def test_a_refusal_has_a_status_a_code_and_a_message(
    curl: Curl, method: str, path: str, body: object, expected: tuple[int, int, str]
) -> None:
    assert curl(method, path, body) == (expected[0], "application/json", refusal(*expected[1:]))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nope", "no such column: nope at offset 7: SQLITE_ERROR"),
        ("INSERT INTO t VALUES(1)", "UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)"),
        ("ATTACH 'x' AS y", "not authorized: SQLITE_AUTH"),
        (f"SELECT '{'x' * 100_000}'", "statement too long: SQLITE_TOOBIG"),
        ("SELECT " + ", ".join("?" for _ in range(101)), "too many SQL variables at offset 307: SQLITE_ERROR"),
    ],
)
def test_an_sql_error_is_7500_with_sqlites_text(curl: Curl, api: Api, sql: str, message: str) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES(1)")
    body = {"sql": sql, "params": list(range(sql.count("?")))}
    assert curl("POST", f"/d1/database/{database}/query", body) == (400, "application/json", refusal(7500, message))


def test_a_body_that_is_not_json_is_malformed(curl: Curl, api: Api) -> None:
    status, _, body = curl("POST", f"/d1/database/{api.database()}/query", "{")
    assert (status, body["errors"][0]["code"], body["result"]) == (400, 7400, None)


def test_a_read_only_token_that_writes_is_refused_as_by_the_gateway(curl: Curl, api: Api, faults: Faults) -> None:
    path = f"/d1/database/{api.database()}/query"
    body = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
    assert curl("POST", path, {"sql": "CREATE TABLE t(a)"}, token=faults.token("D1 Read")) == (403, "application/json", body)


def test_a_script_is_put_as_a_form_and_one_that_does_not_start_is_refused(curl: Curl, api: Api) -> None:
    name = "by-curl"
    api.made.append(name)
    form = ["--form", 'metadata={"main_module": "index.js", "compatibility_date": "2026-01-01"};type=application/json', "--form"]
    put = curl("PUT", f"/workers/scripts/{name}", None, *form, f"index.js={HELLO};type=application/javascript+module;filename=index.js")
    assert (put[0], put[2]["result"]["id"]) == (200, name), put
    throws = "index.js=throw new Error(1);type=application/javascript+module;filename=index.js"
    status, _, body = curl("PUT", f"/workers/scripts/{name}", None, *form, throws)
    assert (status, body["errors"][0]["code"], body["result"]) == (400, 10021, None)
