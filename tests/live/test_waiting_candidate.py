"""A candidate that a killed run left at 0 % is nobody's manual deployment: each look says that the old version serves all, and what waits."""

from collections.abc import Iterator

import pytest

from crane_infra.config.environments import Environment
from crane_infra.errors import LiveError
from crane_infra.live.mark import mark
from local_cloud.daemon import Running
from tests.cloud import Api, api_of
from tests.live.proven_account import ENVIRONMENTS, REPORTS, ProvenAccount, make_proven_account

pytestmark = pytest.mark.cloud

RELEASE = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def account(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvenAccount]:
    """A candidate waits in both environments."""
    api = api_of(cloud)
    with api.http:
        made = make_proven_account(api, cloud, tmp_path_factory.mktemp("proven"))
        for environment in ENVIRONMENTS:
            deploy(api, made, environment, mark("candidate", RELEASE).message)
        yield made
        for name in api.made:
            api.call("DELETE", f"/workers/scripts/{name}?force=true")


def deploy(api: Api, account: ProvenAccount, environment: Environment, message: str) -> str:
    """Let a version join at 0 %, with a message."""
    script = account.script(environment)
    version = str(api.result("GET", f"/workers/scripts/{script}/versions")["items"][0]["id"])
    if version == account.versions[environment]:
        version = str(api.upload(api.result("GET", f"/workers/workers/{script}"), REPORTS, annotations={"workers/tag": "a" * 64})["id"])
    old = account.versions[environment]
    shares = [{"version_id": old, "percentage": 100}, {"version_id": version, "percentage": 0}]
    body = {"strategy": "percentage", "versions": shares, "annotations": {"workers/message": message}}
    api.result("POST", f"/workers/scripts/{script}/deployments", body)
    return version


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_next_update_replaces_nothing_manual(account: ProvenAccount, environment: Environment) -> None:
    assert account.deployments(environment) == {}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_verify_finds_nothing_and_says_what_waits(account: ProvenAccount, environment: Environment) -> None:
    report = account.verify(environment)
    assert report.findings == []
    (said,) = [text for text in report.seen if "waits at 0%" in text]
    assert f"a candidate of release {RELEASE[:12]}" in said


def test_the_gate_stays_open(account: ProvenAccount) -> None:
    account.gate()


def test_the_same_deployment_without_the_mark_is_somebodys(account: ProvenAccount) -> None:
    deploy(account.api, account, "production", "by hand")
    with pytest.raises(LiveError, match="manual deployment"):
        account.deployments("production")
    deploy(account.api, account, "production", mark("candidate", RELEASE).message)
