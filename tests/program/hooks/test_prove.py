"""A proof is true only of what was seen: the version at all traffic, its tag, the ledger, and every check."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import stamina

from crane_infra.checks.model import Check
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.settings import DatabaseSettings, Settings, WorkerSettings
from crane_infra.errors import ApiError, CheckError, CraneError, LiveError
from crane_infra.live.account import open_account
from crane_infra.live.expected import expected_heads, require_still_proven
from crane_infra.migrations.files.read import SchemaFiles, read_migrations
from crane_infra.migrations.ledger import head_of
from crane_infra.program.hooks.steps import Logs, ProveStep, migrate_database, prove, require_schemas
from crane_infra.release.proof import Proof
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Error, Reply
from tests.cloud import Api
from tests.command_line import checks_without_pauses

pytestmark = pytest.mark.cloud

REPORTS = """export default { fetch(request, env) {
  const { id } = env.CF_VERSION_METADATA;
  return new URL(request.url).pathname === '/version' ? Response.json({ id }) : Response.json({ status: env.STATUS });
} };"""
CATALOG = Catalog(
    workers={
        "w": CatalogWorker(
            bundle="x",
            compatibility_date="2026-01-01",
            checks=(
                Check(name="version", path="/version", version_at="id"),
                Check(name="health", path="/health", json_includes={"status": "ok"}),
            ),
        )
    },
    databases={},
)


@dataclass
class Live:
    """A worker and a database that were deployed by hand, and the claim that is true of them."""

    api: Api
    step: ProveStep
    worker: dict[str, Any]
    claim: dict[str, Any]

    def upload(self, status: str = "ok", tag: str = "t1") -> dict[str, Any]:
        bindings = [
            {"name": "CF_VERSION_METADATA", "type": "version_metadata"},
            {"name": "STATUS", "type": "plain_text", "text": status},
        ]
        return self.api.upload(self.worker, REPORTS, bindings=bindings, annotations={"workers/tag": tag})

    def release(self, **about: str) -> dict[str, Any]:
        """Upload and deploy; the claim follows."""
        version = self.upload(**about)
        self.api.deploy(self.worker, (version, 100))
        self.claim["workers"] = {"w": {"script": self.worker["name"], "version": version["id"], "tag": "t1"}}
        return version


MakeLive = Callable[..., Live]


@pytest.fixture
def make_live(cloud: Running, api: Api, tmp_path: Path) -> MakeLive:
    def make(environment: str = "staging") -> Live:
        worker = api.worker()
        settings = Settings.model_validate(
            {
                "environment": environment,
                "project": "crane-infra",
                "organization": "organization",
                "root": tmp_path,
                "account_id": cloud.account_id,
                "api_token": cloud.token,
                "api_url": cloud.api_url,
                "workers_dir": tmp_path,
                "workers_subdomain": "s",
                "databases": {"db": DatabaseSettings(name="db")},
                "workers": {"w": WorkerSettings(url=f"{cloud.edge_url}/{worker['name']}")},
                "check_deadline_seconds": 60,
            }
        )
        (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (id INTEGER);\n", encoding="utf-8")
        files = read_migrations(tmp_path, shown_as="m")
        head = head_of(files)
        claim = {
            "schema": 1,
            "project": "crane-infra",
            "environment": environment,
            "account": cloud.account_id,
            "digest": "a" * 64,
            "manifest": {"databases": {"db": {"migrations": [{"name": file.name, "sha256": file.sha256} for file in files]}}},
            "databases": {"db": {"id": api.database(), "name": "db", "head": {"name": head.name, "count": 1, "digest": head.digest}}},
            "checks": {},
            "proven_at": "2026-11-24T12:00:00Z",
            "versions": {},
        }
        live = Live(api, ProveStep(settings, CATALOG, {"w": {}}, lambda _: None), worker, claim)
        live.release()
        return live

    return make


@pytest.fixture
async def live(make_live: MakeLive) -> Live:
    made = make_live()
    await migrate(made)
    return made


async def migrate(live: Live) -> None:
    settings = live.step.settings
    files = read_migrations(settings.workers_dir, shown_as="m")
    await migrate_database(
        settings, "db", live.claim["databases"]["db"]["id"], SchemaFiles(files), release="a" * 64, logs=Logs(live.step.log)
    )


async def require_proven(live: Live, proof: Proof) -> None:
    async with open_account(live.step.settings) as account:
        await require_still_proven(account, proof)


async def fault(live: Live, kind: type[CraneError]) -> str:
    with checks_without_pauses(), pytest.raises(kind) as caught:
        await prove(live.step, live.claim)
    return str(caught.value)


async def test_what_is_as_claimed_is_proven(live: Live) -> None:
    await prove(live.step, live.claim)


async def test_another_version_in_traffic_is_no_proof_and_both_are_named(live: Live) -> None:
    claimed = live.claim["workers"]["w"]["version"]
    other = live.upload()
    live.api.deploy(live.worker, (other, 100))
    text = await fault(live, LiveError)
    assert text.startswith(f"worker {live.worker['name']}: serves {other['id']} at 100% instead of {claimed} at 100%.")
    assert "pulumi up -s staging --replace '**WorkerVersion::w'" in text


async def test_a_version_that_shares_its_traffic_is_no_proof(live: Live) -> None:
    first, second = live.upload(), live.upload()
    live.api.deploy(live.worker, (first, 90), (second, 10))
    live.claim["workers"]["w"]["version"] = first["id"]
    assert "at 90%" in await fault(live, LiveError)


async def test_a_script_that_does_not_exist_is_no_proof(live: Live) -> None:
    live.claim["workers"]["w"]["script"] = "nobody"
    assert "worker nobody: does not exist." in await fault(live, LiveError)


async def test_a_script_that_was_never_deployed_is_no_proof(live: Live) -> None:
    script = live.claim["workers"]["w"]["script"] = live.api.worker()["name"]
    assert f"worker {script}: serves nothing instead of" in await fault(live, LiveError)


async def test_a_version_with_another_tag_is_no_proof(live: Live) -> None:
    live.release(tag="forged")
    assert "has the tag forged, not t1" in await fault(live, LiveError)


async def test_a_ledger_that_stands_elsewhere_is_no_proof(make_live: MakeLive) -> None:
    text = await fault(make_live(), LiveError)
    assert text == (
        "database db: its ledger stands at None (0 migrations), the files at 0001_a.sql (1): this run left its schema step out, or the database "
        "was restored to an earlier state. Run pulumi up -s staging again without --target; if it was restored, run "
        "crane migrations apply -s staging first."
    )


async def test_a_check_that_fails_on_staging_says_what_came(live: Live) -> None:
    live.release(status="broken")
    text = await fault(live, CheckError)
    assert "(check health)" in text
    assert "broken" in text
    assert "rollback" not in text


async def test_a_check_that_fails_in_production_names_the_version_before_and_the_way_back(make_live: MakeLive) -> None:
    live = make_live("production")
    await migrate(live)
    before = live.claim["workers"]["w"]["version"]
    live.release(status="broken")
    text = await fault(live, CheckError)
    assert text.endswith(
        "To put all workers back to the release before: crane rollback -s production. "
        f"Before it, version {before} served; for this worker alone: wrangler rollback {before} --name {live.worker['name']}."
    )


@pytest.mark.parametrize("environment", ["staging", "production"])
async def test_a_check_that_fails_after_a_durable_object_migration_names_no_way_back(make_live: MakeLive, environment: str) -> None:
    live = make_live(environment)
    await migrate(live)
    live.step = replace(live.step, classes={"w-script": "v2"})
    live.release(status="broken")
    text = await fault(live, CheckError)
    assert text.endswith("The Durable Object migration v2 of w-script stays, and crane rollback cannot go back past it: fix forward.")
    assert "wrangler rollback" not in text


async def test_a_token_that_is_refused_is_said_without_the_token(live: Live) -> None:
    settings = live.step.settings.model_copy(update={"api_token": type(live.step.settings.api_token)("canary-token")})
    stranger = ProveStep(settings, CATALOG, {"w": {}}, lambda _: None)
    with pytest.raises(ApiError, match=r"the API token was not accepted \(401\)") as caught:
        await prove(stranger, live.claim)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "result", ['"a text"', "null", "{}", '{"deployments": null}', '{"deployments": [{"id": "x"}]}', '{"deployments": ["x"]}']
)
async def test_an_answer_about_deployments_that_cannot_be_read_is_none_and_said(live: Live, cloud: Running, result: str) -> None:
    page = Reply(200, f'{{"success": true, "result": {result}}}', {"content-type": "application/json"})
    route = "GET /accounts/{a}/workers/scripts/{name}/deployments"
    with (
        stamina.set_testing(True, attempts=10, cap=True),  # as many tries as ever, without the time between them
        Faults(cloud).fault(route, page, times=5) as fault,
        pytest.raises(ApiError, match=r"^deployments of .*: Cloudflare's API failed"),
    ):
        async with open_account(live.step.settings) as account:
            await account.deployments(live.worker["name"])
    assert fault.fired == 5


async def test_the_deployments_before_follow_the_active_one(live: Live) -> None:
    before = live.claim["workers"]["w"]["version"]
    now = live.release()
    async with open_account(live.step.settings) as account:
        deployments = await account.deployments(live.worker["name"])
    assert [deployment.shares for deployment in deployments] == [{now["id"]: 100}, {before: 100}]


async def test_a_check_that_writes_is_run_on_staging_and_never_in_production(make_live: MakeLive) -> None:
    writes = Check(name="write", method="POST", path="/health", status=201, mutating=True)
    catalog = Catalog(
        workers={"w": CATALOG.workers["w"].model_copy(update={"checks": (*CATALOG.workers["w"].checks, writes)})}, databases={}
    )
    production, staging = make_live("production"), make_live()
    for live in (production, staging):
        await migrate(live)
        live.step = replace(live.step, catalog=catalog)
    await prove(production.step, production.claim)
    assert "write" in await fault(staging, CheckError)


async def test_a_ledger_with_the_same_names_and_other_contents_is_no_proof(live: Live) -> None:
    live.claim["databases"]["db"]["head"]["digest"] = "f" * 64
    assert "but it recorded different contents" in await fault(live, LiveError)


async def test_a_version_waits_while_a_schema_lags(make_live: MakeLive) -> None:
    lagging = make_live()
    heads = expected_heads(Proof.model_validate(lagging.claim))
    with pytest.raises(LiveError, match="its ledger stands at None"):
        await require_schemas(lagging.step.settings, heads)
    await migrate(lagging)
    await require_schemas(lagging.step.settings, heads)


async def test_a_proof_no_longer_holds_once_something_else_was_deployed_by_hand(live: Live) -> None:
    proof = Proof.model_validate(live.claim)
    await require_proven(live, proof)
    live.release()
    with pytest.raises(LiveError, match=f"instead of {proof.workers['w'].version} at 100%"):
        await require_proven(live, proof)


async def test_a_proof_still_holds_while_a_later_run_of_the_same_stack_failed(live: Live) -> None:
    """A version with a worker digest as its tag, and a migration with our record: nobody's handwork."""
    proof = Proof.model_validate(live.claim)
    live.release(tag="b" * 64)
    (live.step.settings.workers_dir / "0002_b.sql").write_text("CREATE TABLE b (id INTEGER);\n", encoding="utf-8")
    await migrate(live)
    await require_proven(live, proof)


async def test_a_proof_no_longer_holds_once_the_version_before_it_was_put_back(live: Live) -> None:
    """Also where that is the very same code: its tag is a digest, but it served before."""
    before = live.release(tag="b" * 64)
    live.release(tag="c" * 64)
    proof = Proof.model_validate(live.claim)
    live.api.deploy(live.worker, (before, 100))
    with pytest.raises(LiveError, match="instead of"):
        await require_proven(live, proof)


@pytest.mark.parametrize("by_hand", ["INSERT INTO d1_migrations (name) VALUES ('0009_by_hand.sql')", "DELETE FROM d1_migrations"])
async def test_a_proof_no_longer_holds_once_a_ledger_was_changed_by_hand(live: Live, by_hand: str) -> None:
    proof = Proof.model_validate(live.claim)
    live.api.query(live.claim["databases"]["db"]["id"], by_hand)
    with pytest.raises(LiveError, match="its ledger"):
        await require_proven(live, proof)


async def test_where_two_versions_shared_the_traffic_before_no_single_way_back_is_named(make_live: MakeLive) -> None:
    live = make_live("production")
    await migrate(live)
    live.api.deploy(live.worker, (live.upload(), 50), (live.upload(), 50))
    live.release(status="broken")
    text = await fault(live, CheckError)
    assert text.endswith(f"No single version of {live.worker['name']} served before this one.")
    assert "rollback" not in text


async def test_a_version_that_the_api_does_not_find_for_a_moment_is_looked_for_again(live: Live, faults: Faults) -> None:
    live.release()
    not_found = Error(404, 10007, "This version does not exist")
    with faults.fault("GET /accounts/{a}/workers/workers/{id}/versions/{vid}", not_found, times=2) as fault:
        await prove(live.step, live.claim)
        assert fault.fired == 2
