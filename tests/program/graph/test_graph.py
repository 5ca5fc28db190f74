"""What each environment declares: its own names and databases, bindings in order, secrets marked, everything dear protected."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest

from crane_infra.catalog import crane
from crane_infra.program.threads import OTHER_RESOURCES, RESOURCES_OF_A_DATABASE, RESOURCES_OF_A_WORKER
from tests.program.graph.account import Account
from tests.program.graph.conftest import ACCOUNT, PLANTED, Declare, Declared, committed, recorded
from tests.repository import ROOT

STAGING = {"crane-context": "crane-context-staging", "crane-classifier": "crane-classifier-staging"}
PRODUCTION = {"crane-context": "crane-context", "crane-classifier": "crane-classifier"}


def bindings(declared: Declared, worker: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in plain(declared.of("WorkerVersion")[worker]["bindings"])}


def plain(value: Any) -> Any:  # noqa: ANN401
    """The value inside Pulumi's secret envelope, if it is in one."""
    return value["value"] if isinstance(value, dict) and "4dabf18193072939515e22adb298388d" in value else value


@pytest.fixture
def staging(declare: Declare) -> Declared:
    return declare("staging")


@pytest.fixture
def production(declare: Declare) -> Declared:
    return declare("production", preview=True)


def test_staging_workers_are_named_after_their_environment(staging: Declared) -> None:
    assert {name: inputs["name"] for name, inputs in staging.of(":Worker").items() if "name" in inputs} == STAGING


def test_production_keeps_its_plain_names(production: Declared) -> None:
    assert {name: inputs["name"] for name, inputs in production.of(":Worker").items() if "name" in inputs} == PRODUCTION


def test_each_environment_has_the_two_databases_of_its_own(staging: Declared) -> None:
    assert {name: inputs["name"] for name, inputs in staging.of("D1Database").items()} == {
        "crane-context-db": "crane-context-db-staging",
        "crane-classifier-db": "crane-classifier-db-staging",
    }
    assert {inputs["accountId"] for inputs in staging.of("D1Database").values()} == {ACCOUNT}


def test_every_version_names_a_file_for_each_module_and_has_no_code_itself(
    declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine writes what a version has into the state with every step, twice: megabytes of code would take longer than all the rest."""
    monkeypatch.chdir(tmp_path)
    for worker, inputs in declare("staging", workers_dir=str(ROOT / "workers")).of("WorkerVersion").items():
        folder = ROOT / "workers" / worker / "dist"
        declared = {module.pop("name"): module for module in inputs["modules"]}
        assert declared.keys() == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for name, module in declared.items():
            assert module.keys() == {"contentType", "contentFile"}
            assert (tmp_path / module["contentFile"]).read_bytes() == (folder / name).read_bytes()


def test_every_version_carries_its_bindings_sorted_by_name(staging: Declared) -> None:
    for worker in STAGING:
        names = [one["name"] for one in plain(staging.of("WorkerVersion")[worker]["bindings"])]
        assert names == sorted(names)
    assert {name: one["type"] for name, one in bindings(staging, "crane-context").items()} == {
        "CF_VERSION_METADATA": "version_metadata",
        "CONTEXT_ADMIN_KEY": "secret_text",
        "CONTEXT_RELAY_KEY": "secret_text",
        "CONTEXT_SESSION_STALE_MINUTES": "plain_text",
        "DB": "d1",
        "ENVIRONMENT": "plain_text",
        "HEARTBEAT_INTERVAL_SECONDS": "plain_text",
        "HEARTBEAT_JITTER_SECONDS": "plain_text",
        "IDEMPOTENCY_TTL_SECONDS": "plain_text",
    }


def test_a_worker_binds_the_database_of_its_own_environment(staging: Declared) -> None:
    assert bindings(staging, "crane-context")["DB"]["databaseId"] == committed("staging")["databases"]["crane-context-db"]["adopt"]
    assert bindings(staging, "crane-classifier")["DB"]["databaseId"] == committed("staging")["databases"]["crane-classifier-db"]["adopt"]


def test_secret_bindings_take_the_value_of_their_key(staging: Declared) -> None:
    assert bindings(staging, "crane-context")["CONTEXT_RELAY_KEY"]["text"] == f"{PLANTED['CRANE_CONTEXT_KEY']}-staging"
    assert "CLASSIFIER_API_KEY" not in bindings(staging, "crane-classifier")


def test_the_version_is_tagged_with_the_worker_digest_so_only_a_changed_worker_gets_a_new_one(declare: Declare) -> None:
    tags = [
        {name: inputs["annotations"]["workersTag"] for name, inputs in declared.of("WorkerVersion").items()}
        for declared in (declare("staging"), declare("production", preview=True))
    ]
    assert tags[0] == tags[1]
    assert all(len(tag) == 64 for tag in tags[0].values())


def test_all_traffic_goes_to_the_declared_version(staging: Declared) -> None:
    for name, inputs in staging.of("WorkersDeployment").items():
        assert inputs["versions"] == [{"versionId": f"{name}-id", "percentage": 100}]
        assert inputs["scriptName"] == STAGING[name]


def test_without_crons_no_schedule_is_declared_and_with_them_the_declared_ones(declare: Declare) -> None:
    assert declare("staging").of("WorkersCronTrigger") == {}
    workers = {name: {"variables": {"ENVIRONMENT": "staging"}} for name in STAGING}
    workers["crane-context"]["crons"] = ["*/5 * * * *"]  # type: ignore[assignment]
    declared = declare("staging", workers=workers)
    assert declared.of("WorkersCronTrigger")["crane-context"]["schedules"] == [{"cron": "*/5 * * * *"}]


def test_the_schema_step_records_every_migration_with_its_digest_alone(staging: Declared) -> None:
    record = staging.of("Stash")["crane-context-db-schema"]["input"]
    assert record["database"] == "crane-context-db"
    folder = ROOT / "workers" / "crane-context" / "migrations"
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.sql")}
    assert record["head"]["count"] == len(digests) >= 3
    # Not its class: that would judge each applied file again in every run.
    assert record["migrations"] == digests


def test_no_secret_value_stands_in_what_the_release_records(staging: Declared) -> None:
    record = repr((staging.of("Stash")["release"], recorded(staging)))
    assert "crane-context-staging" in record
    for value in (*PLANTED.values(), "canary-fingerprint-key", "canary-token"):
        assert value not in record


def test_the_release_record_is_not_secret_so_that_the_gate_and_reviewers_can_read_it(staging: Declared) -> None:
    assert "4dabf18193072939515e22adb298388d" not in repr(staging.of("Stash")["release"])


def test_nothing_but_shared_secrets_is_shared_between_the_environments(declare: Declare) -> None:
    one, other = declare("staging"), declare("production", preview=True)
    for kind, key in (("D1Database", "name"), (":Worker", "name"), ("WorkersDeployment", "scriptName")):
        names = [{inputs.get(key) for inputs in declared.of(kind).values()} - {None} for declared in (one, other)]
        assert names[0], kind
        assert not names[0] & names[1], kind


def test_a_worker_that_had_schedules_once_is_told_that_it_has_none_any_more(declare: Declare, account: Account) -> None:
    workers = committed("staging")["workers"]
    workers["crane-context"]["crons"] = ["*/5 * * * *"]
    scheduled = recorded(declare("staging", workers=workers))
    account.remember(scheduled)
    without = declare("staging", {"organization/crane-infra/staging": scheduled})
    assert {name: one["schedules"] for name, one in without.of("WorkersCronTrigger").items()} == {"crane-context": []}
    again = declare("staging", {"organization/crane-infra/staging": recorded(without)})
    assert set(again.of("WorkersCronTrigger")) == {"crane-context"}


def test_where_proofs_expire_one_that_has_had_half_of_its_time_is_renewed_and_kept(
    staging: Declared, declare: Declare, account: Account
) -> None:
    outputs = recorded(staging)
    account.remember(outputs)
    for hours, count in ((11, 1), (13, 2)):
        outputs["proofs"][0]["proven_at"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
        later = declare("staging", {"organization/crane-infra/staging": outputs}, proof_max_age_days="1")
        assert len(recorded(later)["proofs"]) == count
    assert len(recorded(declare("staging", {"organization/crane-infra/staging": outputs}))["proofs"]) == 1


def test_the_record_says_what_was_adopted_so_that_a_change_of_mind_is_noticed(declare: Declare) -> None:
    databases = {"crane-context-db": {"name": "a", "adopt": "0a1b2c3d-0000-4000-8000-0123456789ab"}, "crane-classifier-db": {"name": "b"}}
    workers = {name: {"variables": {"ENVIRONMENT": "staging"}, "adopt": name == "crane-context"} for name in STAGING}
    environment = recorded(declare("staging", databases=databases, workers=workers))["environment"]
    adopted = {name: one["adopted"] for kind in ("databases", "workers") for name, one in environment[kind].items()}
    assert adopted == {"crane-context-db": True, "crane-classifier-db": False, "crane-context": True, "crane-classifier": False}


def test_a_proof_names_the_checks_that_run_in_its_environment_and_no_other(staging: Declared, declare: Declare) -> None:
    ran = {"staging": recorded(staging), "production": recorded(declare("production", preview=True))}
    for environment, outputs in ran.items():
        expected = {
            name: [check.name for check in worker.checks if environment == "staging" or not check.mutating]
            for name, worker in crane().workers.items()
        }
        assert outputs["proofs"][0]["checks"] == expected
    assert ran["staging"]["proofs"][0]["checks"] != ran["production"]["proofs"][0]["checks"]


def test_read_replication_is_declared_off_since_without_it_every_refresh_shows_a_diff(staging: Declared) -> None:
    assert [inputs["readReplication"] for inputs in staging.of("D1Database").values()] == [{"mode": "disabled"}] * 2


def test_a_worker_waits_for_the_worker_that_it_calls_with_its_upload_and_with_its_traffic(declare: Declare) -> None:
    workers = {name: {"variables": {"ENVIRONMENT": "staging"}} for name in STAGING}
    workers["crane-classifier"]["services"] = {"CONTEXT": "crane-context"}
    declared = declare("staging", workers=workers)
    for kind in (":WorkerVersion", ":WorkersDeployment"):
        waits_for = declared.request(kind, "crane-classifier").dependencies
        assert any(urn.endswith(f"{kind}::crane-context") for urn in waits_for), waits_for


def waits_for(declared: Declared, kind: str, name: str) -> set[str]:
    """The resources that one waits for, each with its kind and name."""
    return {urn.rpartition(":index")[2].lstrip(":/").rpartition("/")[2] for urn in declared.request(kind, name).dependencies}


def test_what_waits_for_all_workers_waits_for_one_point(staging: Declared) -> None:
    """Else the state, and what a run does, would grow with the square of the workers."""
    databases = {"crane-context-db", "crane-classifier-db"}
    assert waits_for(staging, "Stash", "all-versions") == {f"workerVersion:WorkerVersion::{name}" for name in STAGING}
    assert waits_for(staging, "Stash", "all-schemas") == {"Stash::all-versions", *(f"Stash::{name}-schema" for name in databases)}
    for name in databases:
        assert waits_for(staging, "Stash", f"{name}-schema") == {"Stash::all-versions", f"d1Database:D1Database::{name}"}
    for name in STAGING:
        assert waits_for(staging, "WorkersDeployment", name) == {"Stash::all-schemas", f"workerVersion:WorkerVersion::{name}"}


def test_there_is_a_thread_for_every_resource_that_waits(staging: Declared) -> None:
    """The hooks have theirs besides (threads.py)."""
    catalog = crane()
    of_catalog = RESOURCES_OF_A_WORKER * len(catalog.workers) + RESOURCES_OF_A_DATABASE * len(catalog.databases)
    assert len(staging.resources) <= of_catalog + OTHER_RESOURCES


@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_previews_only_where_it_says_so(declare: Declare, turn: int) -> None:  # noqa: ARG001 (the second turn comes after a preview)
    assert not pulumi.runtime.is_dry_run()
    declare("staging", preview=True)
    assert pulumi.runtime.is_dry_run()


def test_an_update_says_of_each_component_that_it_is_complete_and_a_preview_makes_no_call_for_that(declare: Declare) -> None:
    preview, update = declare("staging", preview=True), declare("staging")
    components = {request.name for request in update.requests if request.type.startswith("crane:infra:")}
    assert {urn.rpartition("::")[2] for urn in update.ended if "crane:infra:" in urn} == components
    assert [urn for urn in preview.ended if "crane:infra:" in urn] == []
