"""Whoever compares what serves with what the stack uploaded accepts a twin, names it, and asks the API for no more than before where there is none."""

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra.checks.model import Check
from crane_infra.commands.verify import verify
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.settings import Settings, WorkerSettings
from crane_infra.errors import CraneError
from crane_infra.live.promotion import require_open
from crane_infra.program.hooks.steps import ProveStep, prove
from crane_infra.release.gate import Verdict
from crane_infra.release.manifest import checks_digest
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.proof import Proof, as_json
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from tests.cloud import Api, Body

pytestmark = pytest.mark.cloud

CODE = "export default { fetch: (request, env) => Response.json({ id: env.CF_VERSION_METADATA.id }) };"
TAG = "a" * 64
CATALOG = Catalog(
    workers={
        "w": CatalogWorker(bundle="x", compatibility_date="2026-01-01", checks=(Check(name="version", path="/version", version_at="id"),))
    },
    databases={},
)


@dataclass
class Staging:
    """A worker whose version was uploaded, deployed and proven; ``older`` is what a proof before that one names."""

    api: Api
    settings: Settings
    worker: Body
    proven: str
    older: str = "none"

    def upload(self, *, key: str = "1", mode: str = "a", code: str = CODE, tag: str = TAG) -> Body:
        """Upload a version as the stack does; its message is made of the key, if there is one."""
        bindings = [
            {"name": "CF_VERSION_METADATA", "type": "version_metadata"},
            {"name": "KEY", "type": "secret_text", "text": key},
            {"name": "MODE", "type": "plain_text", "text": mode},
        ]
        annotations = {"workers/tag": tag, **({"workers/message": f"secrets {key}"} if key else {})}
        return self.api.upload(self.worker, code, bindings=bindings, annotations=annotations)

    def serve(self, version: Body) -> str:
        """Give a version all traffic."""
        self.api.deploy(self.worker, (version, 100))
        return str(version["id"])

    def proof(self, version: str) -> Proof:
        """The proof of a version."""
        return Proof.model_validate(
            {
                "schema": 1,
                "project": "crane-infra",
                "environment": "staging",
                "account": self.settings.account_id,
                "digest": TAG,
                "manifest": {"databases": {}, "checks": {"w": checks_digest(CATALOG.workers["w"])}},
                "workers": {"w": {"script": self.worker["name"], "version": version, "tag": TAG}},
                "databases": {},
                "checks": {},
                "proven_at": "2026-11-24T12:00:00Z",
                "versions": {},
            }
        )

    async def looks(self) -> dict[str, list[str]]:
        """What verify, the proof and the gate say of it: what they log, or their refusal."""
        newest, older = self.proof(self.proven), self.proof(self.older)
        logged: list[str] = []
        report = await verify(self.settings, CATALOG, StackOutputs(proofs=(newest, older)))
        proving = prove(ProveStep(self.settings, CATALOG, {"w": {}}, logged.append), as_json(newest), [as_json(older)])
        gate = require_open(self.settings, Verdict(newest, "", "", newest=True, older=(older,)))
        return {
            "verify": list(map(str, report.findings)) or report.seen,
            "proof": await _said(proving) or logged,
            "gate": await _said(gate),
        }


async def _said(work: Awaitable[list[str] | None]) -> list[str]:
    try:
        return await work or []
    except CraneError as error:
        return [str(error)]


@pytest.fixture
def staging(cloud: Running, api: Api, tmp_path: Path) -> Staging:
    worker = api.worker()
    settings = Settings.model_validate(
        {
            "environment": "staging",
            "project": "crane-infra",
            "organization": "organization",
            "root": tmp_path,
            "account_id": cloud.account_id,
            "api_token": cloud.token,
            "api_url": cloud.api_url,
            "workers_dir": tmp_path,
            "workers_subdomain": "s",
            "databases": {},
            "workers": {"w": WorkerSettings(url=f"{cloud.edge_url}/{worker['name']}")},
            "check_deadline_seconds": 10,
        }
    )
    staging = Staging(api, settings, worker, "")
    staging.proven = staging.serve(staging.upload())
    return staging


async def test_a_twin_is_accepted_and_named_and_the_checks_expect_it(staging: Staging) -> None:
    twin, script, url = staging.serve(staging.upload()), staging.worker["name"], staging.settings.url("w")
    named = f"worker {script} serves {twin}, the twin of {staging.proven}: the same upload, sent twice"
    assert await staging.looks() == {
        "verify": [named, f"worker {script} passes 1 check on {url}"],
        "proof": [named, f"1 check passed: {script} 1"],
        "gate": [named],
    }


async def test_a_twin_that_was_uploaded_first_is_accepted_too(staging: Staging) -> None:
    first, staging.proven = staging.proven, staging.serve(staging.upload())
    staging.api.deploy(staging.worker, ({"id": first}, 100))
    named = f"worker {staging.worker['name']} serves {first}, the twin of {staging.proven}: the same upload, sent twice"
    assert [said[0] for said in (await staging.looks()).values()] == [named] * 3


@pytest.mark.parametrize(
    "uploaded",
    [
        pytest.param({"key": "2"}, id="a rotated secret"),
        pytest.param({"key": ""}, id="a version that does not tell its secrets"),
        pytest.param({"mode": "b"}, id="a changed variable"),
        pytest.param({"code": CODE.replace("id:", "is:")}, id="other code under the same tag"),
    ],
)
async def test_an_earlier_upload_of_the_same_release_with_anything_else_is_refused_by_all(
    staging: Staging, uploaded: dict[str, str]
) -> None:
    other, staging.proven = staging.upload(**uploaded), str(staging.upload()["id"])
    refusal = f"worker {staging.worker['name']}: serves {staging.serve(other)} at 100% instead of {staging.proven} at 100%. "
    assert [refusal in said[0] for said in (await staging.looks()).values()] == [True] * 3


async def test_a_version_that_an_older_proof_names_is_refused_by_all(staging: Staging) -> None:
    staging.older, staging.proven = staging.proven, staging.serve(staging.upload())
    staging.api.deploy(staging.worker, ({"id": staging.older}, 100))
    refusal = f"worker {staging.worker['name']}: serves {staging.older} at 100% instead of {staging.proven} at 100%. "
    assert [refusal in said[0] for said in (await staging.looks()).values()] == [True] * 3


async def test_two_deployments_of_one_version_are_as_good_as_one(staging: Staging) -> None:
    staging.api.deploy(staging.worker, ({"id": staging.proven}, 100))
    looks = await staging.looks()
    assert looks["verify"][0] == f"worker {staging.worker['name']} serves {staging.proven} at 100%, tag {TAG[:12]}"
    assert (len(looks["proof"]), looks["gate"]) == (1, [])


async def test_where_the_expected_version_serves_nothing_more_is_asked(cloud: Running, staging: Staging, faults: Faults) -> None:
    faults.reset()
    await require_open(staging.settings, Verdict(staging.proof(staging.proven), "", "", newest=True))
    asked = [call["path"].partition(f"{cloud.account_id}/workers/")[2] for call in faults.calls()]
    script = staging.worker["name"]
    assert asked == [f"scripts/{script}/deployments", f"workers/{script}/versions/{staging.proven}"]
