"""``crane rollout continue`` takes a step only behind the gate, and only with the files of the release that rolls out."""

import asyncio
from collections.abc import Iterator

import pytest

from crane_infra.commands.apply import State
from crane_infra.commands.rollout import Rolling, abort, go_on, next_shares, status
from crane_infra.config.rollout import Rollout
from crane_infra.config.settings import Settings
from crane_infra.errors import GateError, LiveError
from crane_infra.live.account import Deployment
from crane_infra.live.mark import mark
from crane_infra.release.freeze import Freeze
from crane_infra.release.outputs import StackOutputs
from local_cloud.daemon import Running
from tests.cloud import api_of
from tests.live.proven_account import REPORTS, ProvenAccount, make_proven_account

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def account(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvenAccount]:
    """Both environments run one proven release."""
    api = api_of(cloud)
    with api.http:
        yield make_proven_account(api, cloud, tmp_path_factory.mktemp("rollout"))
        for name in api.made:
            api.call("DELETE", f"/workers/scripts/{name}?force=true")


@pytest.fixture
def settings(account: ProvenAccount) -> Settings:
    """Production, with two steps."""
    return account.settings["production"].model_copy(update={"rollout": Rollout(steps=(10, 50))})


def begins(account: ProvenAccount, digest: str) -> str:
    """A rollout that an update left at its first step; returns the new version."""
    script, old = account.script("production"), account.versions["production"]
    new = str(account.api.upload(account.api.result("GET", f"/workers/workers/{script}"), REPORTS)["id"])
    account.api.deploy({"name": script}, ({"id": old}, 100))
    shares = [{"version_id": old, "percentage": 90}, {"version_id": new, "percentage": 10}]
    body = {"strategy": "percentage", "versions": shares, "annotations": {"workers/message": mark("canary", digest).message}}
    account.api.result("POST", f"/workers/scripts/{script}/deployments", body)
    return new


def continues(account: ProvenAccount, settings: Settings, staging: StackOutputs | None = None, freeze: Freeze | None = None) -> list[str]:
    """``crane rollout continue``."""
    outputs, said = {"staging": staging or account.stack("staging"), "production": account.stack("production")}, list[str]()
    asyncio.run(go_on(settings, account.catalog, State(outputs.__getitem__, lambda _: freeze), said.append))
    return said


def test_each_continue_takes_one_step_and_the_last_one_gives_everything(account: ProvenAccount, settings: Settings) -> None:
    new, script = begins(account, account.release.digest), account.script("production")
    goes_on = "Next: pulumi up -s production, which watches this step and goes on"
    assert continues(account, settings) == [f"worker {script}: {new} now has 50%", goes_on]
    assert continues(account, settings) == [f"worker {script}: {new} now has 100%", goes_on]
    assert asyncio.run(status(settings)) == ["no rollout is under way"]


def test_a_closed_gate_changes_nothing(account: ProvenAccount, settings: Settings) -> None:
    begins(account, account.release.digest)
    before = asyncio.run(status(settings))
    with pytest.raises(GateError, match="staging has not proven"):
        continues(account, settings, StackOutputs(exists=True))
    with pytest.raises(GateError, match="frozen"):
        continues(account, settings, freeze=Freeze("somebody", "2026-11-24T12:00:00Z", "an incident"))
    assert asyncio.run(status(settings)) == before


def test_the_files_of_another_release_take_no_step_and_an_abort_needs_no_files(account: ProvenAccount, settings: Settings) -> None:
    begins(account, "f" * 64)
    with pytest.raises(LiveError, match=r"rolls out release f{12}, but these files are release"):
        continues(account, settings)
    old, said = account.versions["production"], list[str]()
    asyncio.run(abort(settings, said.append))
    assert said == [f"worker {account.script('production')}: {old} serves everybody again, alone"]


def rolling(worker: str, share: float) -> Rolling:
    """A worker that has this share."""
    return Rolling(worker, worker, "old", "new", Deployment("1", {"old": 100 - share, "new": share}), mark("canary", "f" * 64))


@pytest.mark.parametrize(
    ("shares", "steps", "moves"),
    [
        pytest.param({"a": 10, "b": 10}, {"a": (10, 50), "b": (10, 50)}, {"a": 50, "b": 50}, id="all take a step together"),
        pytest.param({"a": 50, "b": 10}, {"a": (10, 50), "b": (10, 50)}, {"b": 50}, id="one that a killed command left behind comes first"),
        pytest.param({"a": 10, "b": 20}, {"a": (10, 50), "b": (20,)}, {"a": 50}, id="one without more steps waits for the rest"),
        pytest.param({"a": 50, "b": 20}, {"a": (10, 50), "b": (20,)}, {"a": 100, "b": 100}, id="everything after the last step of all"),
        pytest.param({"a": 50}, {"a": ()}, {"a": 100}, id="the setting is gone"),
    ],
)
def test_who_moves_next(shares: dict[str, float], steps: dict[str, tuple[float, ...]], moves: dict[str, float]) -> None:
    workers = [rolling(worker, share) for worker, share in shares.items()]
    assert {one.worker: share for one, share in next_shares(workers, steps)} == moves
