"""What somebody did around Pulumi is seen at the start of the next update and by crane verify, and is never undone unasked in production.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import command_line
from tests.repository import ROOT
from tests.world.copies import promoted_world
from tests.world.engine import Result
from tests.world.world import World, edit
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

BY_HAND = "export default { fetch: () => new Response('by hand') };"
SCRIPT, DATABASE = "crane-classifier", "crane-context-db-staging"


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def refused(run: Result) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    assert "Traceback" not in run.output
    (line,) = run.errors
    return line


def deploy_by_hand(world: World, script: str) -> str:
    """Give all traffic to a version that no file has, and return the deployment's id."""
    world.deploy(script, world.upload(script, BY_HAND))
    return active(world, script)


def active(world: World, script: str) -> str:
    """The id of a script's active deployment."""
    return str(world.api("GET", f"/workers/scripts/{script}/deployments")["result"]["deployments"][0]["id"])


@dataclass(frozen=True)
class Verified:
    """What crane verify said."""

    exit: int
    output: str
    findings: list[str]


def crane_verify(world: World, stack: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run crane verify as a person does."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder), **variables}
    with command_line.checks_without_pauses():
        return command_line.crane("verify", "-s", stack, *words, environ=environ, cwd=ROOT)


def verify(world: World, stack: str) -> Verified:
    """Run crane verify for people and for machines; both have to agree, but for how often a check was tried."""
    people, machines = crane_verify(world, stack), crane_verify(world, stack, "--json")
    assert people.returncode == machines.returncode, people.stderr + machines.stderr
    report = json.loads(machines.stdout)
    findings = [f"{one['where']}: {one['what']}" for one in report["findings"]]
    assert [one for one in findings if one.partition("; after ")[0] not in people.stdout] == []
    assert (report["stack"], report["as_expected"]) == (stack, not findings)
    return Verified(people.returncode, people.stdout, findings)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging proven and promoted."""
    with promoted_world(tmp_path_factory) as made:
        yield made


class TestNothingByHand:
    def test_verify_finds_nothing_in_either_stack(self, world: World) -> None:
        for stack in ("staging", "production"):
            found = verify(world, stack)
            assert (found.exit, found.findings) == (0, []), found.output
            assert "all as the stack says" in found.output


@dataclass(frozen=True)
class Staging:
    """A staging that somebody deployed to."""

    verified: Verified
    preview: Result
    run: Result
    again: Result
    answered: str


@pytest.fixture(scope="module")
def staging(world: World) -> Staging:
    """Somebody deploys to staging; then it is looked at, previewed, updated, and updated again."""
    script = f"{SCRIPT}-staging"
    deploy_by_hand(world, script)
    verified = verify(world, "staging")
    preview, run = world.preview_and_up("staging")
    return Staging(verified, preview, run, world.up("staging", "--expect-no-changes"), world.answering(script))


class TestADeploymentByHandInStaging:
    def test_verify_finds_it(self, staging: Staging) -> None:
        assert staging.verified.exit == 3
        assert any(finding.startswith(f"worker {SCRIPT}-staging: serves ") for finding in staging.verified.findings)

    def test_a_preview_shows_that_version_and_deployment_are_made_anew(self, staging: Staging) -> None:
        assert "manual deployment" in staging.preview.output
        assert "+-2 to replace" in staging.preview.output

    def test_an_update_returns_it_to_the_release_and_says_so(self, world: World, staging: Staging) -> None:
        well(staging.run)
        assert "this run returns it to its release" in staging.run.line("manual deployment")
        assert staging.answered == world.proofs("staging")[0]["workers"][SCRIPT]["version"]

    def test_the_next_update_changes_nothing(self, staging: Staging) -> None:
        well(staging.again)


@dataclass(frozen=True)
class Production:
    """A production that somebody deployed to: how it was taken, with and without consent."""

    deployment: str
    preview: Result
    run: Result
    still: str
    consented: Result
    again: Result
    withdrawn: Result
    answered: str


@pytest.fixture(scope="module")
def production(world: World, staging: Staging) -> Production:  # noqa: ARG001 - it has to come first
    """Somebody deploys to production; updates without and with consent follow."""
    deployment = deploy_by_hand(world, SCRIPT)
    preview, run = world.preview_and_up("production")
    still = active(world, SCRIPT)
    settings = world.stack_file("production")
    settings["config"]["crane-infra:workers"][SCRIPT]["replace-deployment"] = deployment
    world.write_stack_file("production", settings)
    consented, again = world.up("production"), world.up("production", "--expect-no-changes")
    del settings["config"]["crane-infra:workers"][SCRIPT]["replace-deployment"]
    world.write_stack_file("production", settings)
    withdrawn = world.up("production", "--expect-no-changes")
    return Production(deployment, preview, run, still, consented, again, withdrawn, world.answering(SCRIPT))


class TestADeploymentByHandInProduction:
    def test_an_update_that_would_leave_it_is_refused_and_changes_nothing(self, production: Production) -> None:
        output = refused(production.run)
        assert output.startswith(f"worker {SCRIPT}: serves ")
        assert f"pulumi config set -s production --path workers.{SCRIPT}.replace-deployment {production.deployment}" in output
        assert production.still == production.deployment

    def test_a_preview_warns_and_goes_on(self, production: Production) -> None:
        assert production.preview.exit == 0
        assert "warning: worker crane-classifier: serves " in production.preview.output

    def test_with_consent_the_release_is_deployed_anew(self, world: World, production: Production) -> None:
        well(production.consented)
        assert production.answered == world.proofs("production")[0]["workers"][SCRIPT]["version"]

    def test_neither_the_consent_nor_its_withdrawal_changes_anything_again(self, production: Production) -> None:
        well(production.again)
        well(production.withdrawn)


@pytest.fixture(scope="module")
def fixed(world: World, production: Production) -> Result:  # noqa: ARG001 - it has to come first
    """After a rollback by hand, the next release changes the worker: it is promoted without further ado."""
    deploy_by_hand(world, SCRIPT)
    edit(world.workers / SCRIPT / "dist" / "index.js", "takes GitHub's deliveries", "takes deliveries")
    well(world.up("staging"))
    return world.up("production")


class TestTheNextReleaseAfterARollbackByHand:
    def test_it_replaces_the_deployment_by_hand(self, world: World, fixed: Result) -> None:
        well(fixed)
        assert "this release replaces it" in fixed.line("manual deployment")
        assert world.answering(SCRIPT) == world.proofs("production")[0]["workers"][SCRIPT]["version"]


@dataclass(frozen=True)
class Spoilt:
    """What crane verify said of staging after each of these, one on top of the other."""

    rollback: Verified
    back_to: str
    migration: Verified
    table: Verified
    worker: Verified


@pytest.fixture(scope="module")
def spoilt(world: World, fixed: Result, tmp_path_factory: pytest.TempPathFactory) -> Spoilt:  # noqa: ARG001 - it has to come last
    """Wrangler rolls a worker back and applies a migration that no release has; a table is dropped; a worker is deleted."""
    script, folder = f"{SCRIPT}-staging", tmp_path_factory.mktemp("wrangler")
    wrangler, before = Wrangler(world.cloud, folder), world.versions(script)[1]
    wrangler("rollback", before, "--name", script, "--message", "by hand", "-y")
    rollback = verify(world, "staging")
    _migrate_by_hand(world, wrangler)
    migration = verify(world, "staging")
    world.rows(DATABASE, "DROP TABLE smoke_writes")
    table = verify(world, "staging")
    world.api("DELETE", f"/workers/workers/{script}")
    return Spoilt(rollback, before, migration, table, verify(world, "staging"))


def _migrate_by_hand(world: World, wrangler: Wrangler) -> None:
    """Apply a migration from a folder of one's own, as ``wrangler d1 migrations apply`` does it."""
    (found,) = world.api("GET", f"/d1/database?name={DATABASE}")["result"]
    bound = {"binding": "DB", "database_name": DATABASE, "database_id": found["uuid"]}
    content = {"name": "by-hand", "compatibility_date": "2026-01-01", "d1_databases": [bound]}
    (wrangler.home / "wrangler.json").write_text(json.dumps(content), encoding="utf-8")
    (wrangler.home / "migrations").mkdir()
    (wrangler.home / "migrations" / "0099_by_hand.sql").write_text("CREATE TABLE by_hand (text TEXT);\n", encoding="utf-8")
    wrangler("d1", "migrations", "apply", "DB", "--remote", cwd=wrangler.home)


class TestVerifyFinds:
    """Each ends with exit code 3 and stands among what was found before it."""

    def test_a_rollback_by_wrangler(self, spoilt: Spoilt) -> None:
        assert spoilt.rollback.exit == 3
        assert any(one.startswith(f"worker {SCRIPT}-staging: serves {spoilt.back_to} at 100%") for one in spoilt.rollback.findings)

    def test_a_migration_by_hand(self, spoilt: Spoilt) -> None:
        assert spoilt.migration.exit == 3
        found = f"database {DATABASE}: its ledger stands at 0099_by_hand.sql (5 migrations), the files at 0004_create_smoke_writes.sql (4)"
        assert found in spoilt.migration.findings
        assert found not in spoilt.rollback.findings

    def test_what_that_migration_made(self, spoilt: Spoilt) -> None:
        assert f"database {DATABASE}: its schema differs from its migrations: table by_hand was added" in spoilt.migration.findings

    def test_a_dropped_table(self, spoilt: Spoilt) -> None:
        assert spoilt.table.exit == 3
        assert any("table smoke_writes is gone" in one for one in spoilt.table.findings)
        assert not any("table smoke_writes is gone" in one for one in spoilt.migration.findings)

    def test_a_deleted_worker(self, spoilt: Spoilt) -> None:
        assert spoilt.worker.exit == 3
        assert f"worker {SCRIPT}-staging: does not exist" in spoilt.worker.findings

    def test_nothing_of_the_other_worker(self, spoilt: Spoilt) -> None:
        assert [one for one in spoilt.worker.findings if "worker crane-context-staging" in one] == []


class TestVerifyThatCannotLook:
    def test_a_token_that_may_not_look_is_exit_code_1_and_one_line_without_the_token(self, world: World, fixed: Result) -> None:
        assert fixed.exit == 0
        output = crane_verify(world, "production", "--json", CLOUDFLARE_API_TOKEN="canary-token-6c1d")
        assert (output.returncode, output.stdout) == (1, "")
        assert output.stderr.startswith("error: ")
        assert output.stderr.count("\n") == 1
        assert "canary-token" not in output.stderr
