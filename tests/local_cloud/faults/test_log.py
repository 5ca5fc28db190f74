"""The log answers which calls came, how often a statement was executed, and which calls contained a secret."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local_cloud.cloud import Cloud
from local_cloud.errors import LocalCloudError
from local_cloud.faults.client import Faults, Sighting
from local_cloud.faults.injector import Injector
from local_cloud.faults.log import CallLog
from local_cloud.faults.model import Drop, Error
from local_cloud.ids import ACCOUNT_ID
from local_cloud.server.app import public_app
from tests.cloud import Api, modules

pytestmark = pytest.mark.cloud

QUERY = "POST /accounts/{a}/d1/database/{id}/query"


def places(sightings: list[Sighting]) -> list[tuple[str, str]]:
    return [(sighting.part, sighting.form) for sighting in sightings]


def test_every_call_is_in_the_log_in_order_of_arrival(api: Api, faults: Faults) -> None:
    api.call("GET", "/workers/subdomain?a=b")
    api.call("GET", "/nowhere")
    with faults.fault("GET /accounts/{a}/workers/subdomain", Drop("after-read")), pytest.raises(httpx.TransportError):
        api.call("GET", "/workers/subdomain")
    account = f"/accounts/{api.running.account_id}"
    kept = ("number", "method", "path", "route", "status", "fault")
    assert [tuple(call[key] for key in kept) for call in faults.calls()] == [
        (1, "GET", f"{account}/workers/subdomain", "GET /accounts/{a}/workers/subdomain", 200, None),
        (2, "GET", f"{account}/nowhere", "unknown", 501, None),
        (3, "GET", f"{account}/workers/subdomain", "GET /accounts/{a}/workers/subdomain", None, "drop"),
    ]
    stamps = [call["at"] for call in faults.calls()]
    assert stamps == sorted(stamps)


# Statements


def test_a_statement_is_counted_when_it_was_executed_and_committed(api: Api, faults: Faults) -> None:
    first, other = api.database(), api.database()
    for database in (first, other):
        api.query(database, "CREATE TABLE t(a)")
    api.query(first, "INSERT INTO t VALUES(?)", 1)
    api.query(first, "INSERT INTO t VALUES(?)", 2)
    api.query(other, "INSERT INTO t VALUES(?);", 3)
    insert = "INSERT INTO t VALUES(?)"
    assert (faults.executed(insert, first), faults.executed(insert, other), faults.executed(f" {insert};\n")) == (2, 1, 3)
    assert faults.executed("insert into t values(?)") == 0
    faults.reset()
    assert faults.executed(insert) == 0


def test_statements_that_were_rolled_back_or_refused_do_not_count_as_executed(api: Api, faults: Faults) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    api.refusal("POST", f"/d1/database/{database}/query", {"sql": "INSERT INTO t VALUES(7); INSERT INTO nowhere VALUES(1)"})
    with faults.fault(QUERY, Error(500)):
        api.refusal("POST", f"/d1/database/{database}/query", {"sql": "INSERT INTO t VALUES(7)"})
    assert faults.executed("INSERT INTO t VALUES(7)") == 0


# Secrets


def test_a_secret_is_found_in_every_part_of_a_call(api: Api, faults: Faults) -> None:
    secret = f"s3cret-{uuid4().hex}"
    assert faults.seen(secret) == []
    with faults.fault("GET /accounts/{a}/workers/subdomain", Error(400, message=secret, headers={"x-echo": secret})):
        api.http.request(
            "GET",
            f"{api.running.api_url}/accounts/{api.running.account_id}/workers/subdomain?q={secret}",
            headers={"x-sent": secret},
            content=secret,
        )
    sightings = faults.seen(secret)
    parts = ["path", "request header x-sent", "request body", "reply header x-echo", "reply body"]
    assert places(sightings) == [(part, "as it is") for part in parts]
    assert {(sighting.method, sighting.path) for sighting in sightings} == {
        ("GET", f"/accounts/{api.running.account_id}/workers/subdomain")
    }


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_secret_is_found_in_base64_wherever_it_begins(api: Api, faults: Faults, before: str) -> None:
    secret = f'quo"ted\n{uuid4().hex}'
    body = {"name": "x", "modules": modules(f"{before}{secret}!")}
    api.call("POST", "/workers/workers/none/versions", body)
    assert places(faults.seen(secret)) == [("request body", "base64")]


def test_a_secret_is_found_escaped_for_json_and_for_a_url(api: Api, faults: Faults) -> None:
    secret = f'ö"\\ {uuid4().hex}/&'
    api.call("POST", "/d1/database", {"name": secret})
    assert places(faults.seen(secret)) == [("request body", "JSON")]
    faults.reset()
    api.call("POST", f"/d1/database?{httpx.QueryParams(name=secret)}")
    assert places(faults.seen(secret)) == [("path", "URL")]


def test_the_log_also_sees_what_a_refused_caller_sends(api: Api, faults: Faults) -> None:
    secret = uuid4().hex
    url = f"{api.running.api_url}/accounts/{api.running.account_id}/d1/database"
    assert httpx.post(url, content=secret, trust_env=False, timeout=60).status_code == 400
    assert places(faults.seen(secret)) == [("request body", "as it is")]


def test_the_token_counts_only_outside_of_its_own_header(api: Api, faults: Faults) -> None:
    api.call("GET", "/workers/subdomain")
    assert faults.seen(api.running.token) == []
    encoded = base64.b64encode(json.dumps({"token": api.running.token}).encode()).decode()
    api.call("GET", f"/workers/subdomain?x={encoded}")
    assert places(faults.seen(api.running.token)) == [("path", "base64")]


def test_a_secret_in_the_log_is_in_no_file(api: Api, faults: Faults) -> None:
    secret = f"{uuid4()}"
    api.call("POST", "/d1/database", {"name": secret + "!"})
    api.call("PATCH", "/workers/workers/none", {"name": secret})
    with pytest.raises(ValueError, match="sql: Field required") as refused:
        faults.ask("POST", "/executed", {"text": secret})
    assert secret not in str(refused.value)
    assert len(faults.seen(secret)) == 2
    written = [path for path in Path(api.running.folder).rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert written == []


async def test_the_text_of_a_handlers_error_is_not_written_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    secret = uuid4().hex

    class BrokenStore:
        def __getattr__(self, name: str) -> object:
            raise ValueError(f"{name} of {secret}")

    store: Any = BrokenStore()
    workerd: Any = SimpleNamespace()
    app = public_app(Cloud("instance", "token", "subdomain", store, workerd, Injector([]), CallLog()))
    url = f"http://local/client/v4/accounts/{ACCOUNT_ID}/d1/database"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        reply = await http.get(url, headers={"authorization": "Bearer token"})
    assert (reply.status_code, reply.json()["errors"]) == (500, [{"code": 10001, "message": "internal error"}])
    assert "ValueError" in caplog.text
    assert secret not in caplog.text + reply.text


def test_a_short_text_would_be_found_anywhere_and_is_refused(faults: Faults) -> None:
    with pytest.raises(ValueError, match="at least 4 characters"):
        faults.seen("abc")


# Dropped entries


def test_questions_about_dropped_contents_fail_instead_of_answering_never(api: Api, faults: Faults) -> None:
    secret = uuid4().hex
    api.call("GET", f"/nowhere?{secret}")
    for _ in range(3):
        api.call("POST", "/nowhere", {"x": "x" * 30_000_000})
    with pytest.raises(LocalCloudError, match=r"has dropped the contents of calls .* Reset it shortly before"):
        faults.seen(secret)
    assert len(faults.calls()) == 4
    faults.reset()
    assert faults.seen(secret) == []


def test_questions_about_statements_beyond_the_limit_fail_instead_of_answering_never() -> None:
    log = CallLog()
    for number in range(100_001):
        log.executed("d", f"SELECT {number}")
    assert log.executions("SELECT 1", None) == 1
    with pytest.raises(Exception, match="has dropped executed statements"):
        log.executions("SELECT 100000", None)
