"""Calls that the stand-in sends again, on the local cloud and under the real engine: the account may then have things twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop, Error
from tests.cloud import Api
from tests.local_cloud.provider.engine import Json, Stack, resources
from tests.local_cloud.provider.scenarios import BY_NAME

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

UPLOAD, DEPLOY = "POST /accounts/{a}/workers/workers/{id}/versions", "POST /accounts/{a}/workers/scripts/{name}/deployments"
CREATE_DATABASE = "POST /accounts/{a}/d1/database"
LOST = Drop("after-commit")


@pytest.fixture
def stack(pulumi: str, cloud: Running, faults: Faults, tmp_path: Path) -> Iterator[Stack]:
    """A stack on the file's cloud, whose provider does not wait between attempts."""
    with faults.behaviour(provider_pause_factor=0), Stack(tmp_path, pulumi, cloud.provider_port) as stack:
        yield stack


def inputs_on(cloud: Running, name: str, code: str = "1") -> Json:
    """A worker with a version and a deployment."""
    version: dict[str, Any] = {
        **BY_NAME["create"]["inputs"]["version"],
        "code": f"export default {{ fetch: () => new Response('{code}') }}",
        "bindings": [],
    }
    return {
        "account": cloud.account_id,
        "worker": {"name": name},
        "version": version,
        "deployment": [{"version": "new", "percentage": 100}],
    }


def id_of(stack: Stack, kind: str) -> str:
    """The id that the state has of the one resource of a type."""
    return next(str(resource["id"]) for resource in resources(stack.export()) if resource["type"].endswith(f":{kind}"))


def test_a_version_or_deployment_whose_reply_is_lost_is_made_twice_and_the_second_one_counts(
    stack: Stack, cloud: Running, api: Api, faults: Faults
) -> None:
    name = "made-twice"
    api.made.append(name)
    with faults.fault(UPLOAD, LOST) as lost:
        uploaded = stack.run("up", inputs_on(cloud, name))
    assert (uploaded.exit, lost.fired) == (0, 1), uploaded.output
    versions = api.result("GET", f"/workers/scripts/{name}/versions")["items"]
    assert [version["annotations"]["workers/tag"] for version in versions] == ["abc", "abc"]
    assert versions[0]["id"] == id_of(stack, "WorkerVersion")

    with faults.fault(DEPLOY, LOST) as lost:
        deployed = stack.run("up", inputs_on(cloud, name, code="2"))
    assert (deployed.exit, lost.fired) == (0, 1), deployed.output
    deployments = api.result("GET", f"/workers/scripts/{name}/deployments")["deployments"]
    new, old = id_of(stack, "WorkerVersion"), versions[0]["id"]
    assert [deployment["versions"][0]["version_id"] for deployment in deployments] == [new, new, old]
    assert deployments[0]["id"] == id_of(stack, "WorkersDeployment")
    assert [step["op"] for step in stack.run("up", inputs_on(cloud, name, code="2")).steps] == []


def test_a_database_whose_reply_is_lost_exists_already_in_this_run_and_in_the_next(
    stack: Stack, cloud: Running, api: Api, faults: Faults
) -> None:
    name = "sent-twice"
    api.made.append(name)
    inputs = {"account": cloud.account_id, "worker": {"name": name}, "db": {"name": name, "read_replication": {"mode": "disabled"}}}
    with faults.fault(CREATE_DATABASE, LOST) as lost:
        first = stack.run("up", inputs)
    assert lost.fired == 1
    again = stack.run("up", inputs)
    for run in (first, again):
        assert run.exit != 0
        assert any('"code":7502' in error and f"Database with name '{name}' already exists" in error for error in run.errors), run.errors
    assert len(api.result("GET", f"/d1/database?name={name}")) == 1


def test_a_call_may_fail_ten_times(stack: Stack, cloud: Running, api: Api, faults: Faults) -> None:
    """The eleventh attempt is the last one."""
    name = "fails-often"
    api.made.append(name)
    with faults.fault(UPLOAD, Error(500), times=11) as failed:
        refused = stack.run("up", inputs_on(cloud, name))
    assert (refused.exit == 0, failed.fired) == (False, 11)
    assert any("500 Internal Server Error" in error for error in refused.errors), refused.errors
    with faults.fault(UPLOAD, Error(503), times=10) as failed:
        assert stack.run("up", inputs_on(cloud, name)).exit == 0
    assert failed.fired == 10
