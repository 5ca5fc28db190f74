"""What somebody did around Pulumi is seen at the start of the next update and by crane verify, and is never undone unasked in production.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.runs import ROOT, Ended, Json
from tests.engine.world import World, edit, local_world

BY_HAND = "export default { fetch: () => new Response('by hand') };"
SCRIPT = "crane-classifier"


def well(run: Ended) -> Ended:
    """A run that has to succeed."""
    assert run.exit == 0, run.said
    return run


def refused(run: Ended) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    assert "Traceback" not in run.said
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
    said: str
    findings: list[str]


def verify(world: World, stack: str) -> Verified:
    """Run crane verify for people and for machines; both have to agree."""
    crane = Path(sys.executable).parent / "crane"
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    people, machines = (
        subprocess.run([crane, "verify", "-s", stack, *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        for words in ((), ("--json",))
    )
    assert people.returncode == machines.returncode, people.stderr + machines.stderr
    findings = [f"{one['where']}: {one['what']}" for one in json.loads(machines.stdout)["findings"]]
    assert all(finding in people.stdout for finding in findings)
    return Verified(people.returncode, people.stdout, findings)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging proven and promoted."""
    with local_world(tmp_path_factory.mktemp("byhand")) as made:
        for stack in ("staging", "production"):
            settings = made.stack_file(stack)
            settings["config"]["crane-infra:check-deadline-seconds"] = 2
            made.write_stack_file(stack, settings)
        well(made.up("staging"))
        well(made.up("production"))
        yield made


class TestNothingByHand:
    def test_verify_finds_nothing_in_either_stack(self, world: World) -> None:
        for stack in ("staging", "production"):
            found = verify(world, stack)
            assert (found.exit, found.findings) == (0, []), found.said
            assert "all as the stack says" in found.said


@dataclass(frozen=True)
class Staging:
    """A staging that somebody deployed to."""

    verified: Verified
    preview: Ended
    run: Ended
    again: Ended
    answered: str


@pytest.fixture(scope="module")
def staging(world: World) -> Staging:
    """Somebody deploys to staging; then it is looked at, previewed, updated, and updated again."""
    script = f"{SCRIPT}-staging"
    deploy_by_hand(world, script)
    verified, preview, run = verify(world, "staging"), world.engine.run("preview", "--stack", "staging"), world.up("staging")
    return Staging(verified, preview, run, world.up("staging", "--expect-no-changes"), world.answering(script))


class TestADeploymentByHandInStaging:
    def test_verify_finds_it(self, staging: Staging) -> None:
        assert staging.verified.exit == 3
        assert any(finding.startswith(f"worker {SCRIPT}-staging: serves ") for finding in staging.verified.findings)

    def test_a_preview_shows_that_version_and_deployment_are_made_anew(self, staging: Staging) -> None:
        assert "deployed by hand" in staging.preview.said
        assert "+-2 to replace" in staging.preview.said

    def test_an_update_returns_it_to_the_release_and_says_so(self, world: World, staging: Staging) -> None:
        well(staging.run)
        assert "it is returned to this release" in staging.run.line("deployed by hand")
        assert staging.answered == world.proofs("staging")[0]["workers"][SCRIPT]["version"]

    def test_the_next_update_changes_nothing(self, staging: Staging) -> None:
        well(staging.again)


@dataclass(frozen=True)
class Production:
    """A production that somebody deployed to: how it was taken, with and without consent."""

    deployment: str
    preview: Ended
    run: Ended
    still: str
    consented: Ended
    again: Ended
    withdrawn: Ended
    answered: str


@pytest.fixture(scope="module")
def production(world: World, staging: Staging) -> Production:  # noqa: ARG001 - it has to come first
    """Somebody deploys to production; updates without and with consent follow."""
    deployment = deploy_by_hand(world, SCRIPT)
    preview, run, still = world.engine.run("preview", "--stack", "production"), world.up("production"), active(world, SCRIPT)
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
        said = refused(production.run)
        assert said.startswith(f"worker {SCRIPT}: serves ")
        assert f"pulumi config set -s production --path workers.{SCRIPT}.replace-deployment {production.deployment}" in said
        assert production.still == production.deployment

    def test_a_preview_warns_and_goes_on(self, production: Production) -> None:
        assert production.preview.exit == 0
        assert "warning: worker crane-classifier: serves " in production.preview.said

    def test_with_consent_the_release_is_deployed_anew(self, world: World, production: Production) -> None:
        well(production.consented)
        assert production.answered == world.proofs("production")[0]["workers"][SCRIPT]["version"]

    def test_neither_the_consent_nor_its_withdrawal_changes_anything_again(self, production: Production) -> None:
        well(production.again)
        well(production.withdrawn)


@pytest.fixture(scope="module")
def fixed(world: World, production: Production) -> Ended:  # noqa: ARG001 - it has to come first
    """After a rollback by hand, the next release changes the worker: it is promoted without further ado."""
    deploy_by_hand(world, SCRIPT)
    edit(world.workers / SCRIPT / "dist" / "index.js", "takes GitHub's deliveries", "takes deliveries")
    well(world.up("staging"))
    return world.up("production")


class TestTheNextReleaseAfterARollbackByHand:
    def test_it_replaces_the_deployment_by_hand(self, world: World, fixed: Ended) -> None:
        well(fixed)
        assert "this release replaces it" in fixed.line("deployed by hand")
        assert world.answering(SCRIPT) == world.proofs("production")[0]["workers"][SCRIPT]["version"]


@pytest.fixture(scope="module")
def spoilt(world: World, fixed: Ended) -> Json:  # noqa: ARG001 - it has to come last
    """Staging after a rollback, a migration by hand, a dropped table, and a deleted worker."""
    database = "crane-context-db-staging"
    found = {}
    script = f"{SCRIPT}-staging"
    world.deploy(script, world.versions(script)[1])
    found["rollback"] = verify(world, "staging").findings
    world.rows(database, "INSERT INTO d1_migrations(name) VALUES ('0099_by_hand.sql')")
    found["migration"] = verify(world, "staging").findings
    world.rows(database, "DELETE FROM d1_migrations WHERE name = '0099_by_hand.sql'")
    world.rows(database, "DROP TABLE smoke_writes")
    found["table"] = verify(world, "staging").findings
    world.api("DELETE", f"/workers/workers/{script}")
    found["worker"] = verify(world, "staging").findings
    return found


class TestVerifyFinds:
    def test_a_rollback(self, spoilt: Json) -> None:
        assert any(one.startswith(f"worker {SCRIPT}-staging: serves ") for one in spoilt["rollback"])

    def test_a_migration_by_hand(self, spoilt: Json) -> None:
        assert any(
            one.startswith("database crane-context-db-staging: its ledger stands at 0099_by_hand.sql") for one in spoilt["migration"]
        )

    def test_a_dropped_table(self, spoilt: Json) -> None:
        assert (
            "database crane-context-db-staging: its schema is not what its migrations make: table smoke_writes is gone" in spoilt["table"]
        )

    def test_a_deleted_worker(self, spoilt: Json) -> None:
        assert f"worker {SCRIPT}-staging: does not exist" in spoilt["worker"]
