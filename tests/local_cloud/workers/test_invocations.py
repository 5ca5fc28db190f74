"""GraphQL counts what each version answered: exceptions are errors, a status 500 is none; late, sampled, missing and unknown are switches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_cloud.faults.client import Faults
from local_cloud.workers.invocations import EXCEPTION, SUCCESS, Invocations
from tests.cloud import Api, Body, api_of

pytestmark = pytest.mark.cloud

QUERY = """query ($account: string!, $script: string!, $since: Time!, $until: Time!) { viewer { accounts(filter: {accountTag: $account}) {
  workersInvocationsAdaptive(limit: 1000, filter: {scriptName: $script, datetime_geq: $since, datetime_leq: $until}) {
    dimensions { scriptVersion status } sum { requests errors } } } } }"""
CODE = "export default { fetch(r) { if (r.url.endsWith('/throw')) throw new Error('x'); return new Response('', { status: 500 }); } };"


def asked(api: Api, worker: Body) -> Body:
    """The reply of GraphQL about a worker."""
    now = datetime.now(UTC)
    moments = {"since": (now - timedelta(hours=1)).isoformat(), "until": (now + timedelta(hours=1)).isoformat()}
    variables = {"account": api.running.account_id, "script": worker["name"], **moments}
    reply = api.http.post(f"{api.running.api_url}/graphql", json={"query": QUERY, "variables": variables})
    assert reply.status_code == 200
    answer: Body = reply.json()
    return answer


def groups(api: Api, worker: Body) -> list[tuple[Any, ...]]:
    """Version, status, requests and errors."""
    listed = asked(api, worker)["data"]["viewer"]["accounts"][0]["workersInvocationsAdaptive"]
    return [(*each["dimensions"].values(), *each["sum"].values()) for each in listed]


@pytest.fixture
def worker(api: Api) -> Body:
    """A worker that answered 500 twice and threw once."""
    made = api.worker()
    made["version"] = api.upload(made, CODE)["id"]
    api.deploy(made, ({"id": made["version"]}, 100))
    assert [api.edge(made, path).status_code for path in ("/", "/", "/throw")] == [500, 500, 500]
    assert "crane-threw" not in api.edge(made, "/throw").headers
    return made


def test_exceptions_are_errors_and_a_status_is_none(api: Api, worker: Body, faults: Faults) -> None:
    with faults.behaviour(invocations_lag_seconds=0):
        assert groups(api, worker) == [(worker["version"], EXCEPTION, 2, 2), (worker["version"], SUCCESS, 2, 0)]
        with faults.behaviour(invocations_one_in=3):
            assert groups(api, worker) == []
        with faults.behaviour(invocations_missing=True):
            assert groups(api, worker) == []
        with faults.behaviour(invocations_by_version=False):
            assert asked(api, worker)["errors"] == [{"message": 'unknown field "scriptVersion"'}]
    with faults.behaviour(invocations_lag_seconds=timedelta(days=1).total_seconds()):
        assert groups(api, worker) == []


def test_a_token_without_the_permission_is_told(api: Api, worker: Body, faults: Faults) -> None:
    limited = api_of(api.running, faults.token("Workers Scripts Write"))
    with limited.http:
        assert asked(limited, worker)["errors"] == [{"message": "not authorized for that account"}]


def test_only_a_time_that_was_asked_for_counts() -> None:
    now = [100.0]
    invocations = Invocations(lambda: now[0])
    for at in (100.0, 200.0, 300.0):
        now[0] = at
        invocations.record("w", "v", threw=False)
    assert invocations.groups("w", 150, 400, lag=0, one_in=1) == {("v", SUCCESS): 2}
    assert invocations.groups("w", 150, 400, lag=50, one_in=1) == {("v", SUCCESS): 1}
    assert invocations.groups("w", 0, 400, lag=0, one_in=2) == {("v", SUCCESS): 2}
    assert invocations.groups("other", 0, 400, lag=0, one_in=1) == {}
    now[0] = 250.0
    assert invocations.groups("w", 150, 400, lag=0, one_in=1) == {("v", SUCCESS): 2}, "the clock was put back"
