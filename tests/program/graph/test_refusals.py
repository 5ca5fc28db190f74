"""What is wrong is refused before the first resource, in one line, and the gate stands before everything else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.mocks import set_mocks

from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError
from crane_infra.program.stacks import own_settings
from crane_infra.release.origin import head
from crane_infra.release.packed import packed
from crane_infra.secrets.login import CLIENT_ID, CLIENT_SECRET
from tests.program.graph.conftest import ACCOUNT, Declare, Declared, committed, recorded
from tests.repository import ROOT
from tests.secrets import infisical_server

STAGING, PRODUCTION = "organization/crane-infra/staging", "organization/crane-infra/production"


NOTHING_PROVEN = {"__proofs": packed({}), "__environment": {}}


def refusal(declare: Declare, environment: str = "staging", stacks: dict[str, Any] | None = None, **changes: object) -> str:
    with pytest.raises(CraneError) as caught:
        declare(environment, stacks, **changes)
    text = str(caught.value)
    assert "\n" not in text
    assert "canary" not in text
    return text


@pytest.fixture
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The resources that were registered, however the program ended."""
    registered: list[str] = []
    original = Declared.new_resource

    def note(self: Declared, args: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
        registered.append(args.name)
        return original(self, args)

    monkeypatch.setattr(Declared, "new_resource", note)
    return registered


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"workers_dir": "nowhere"}, "the folder does not exist"),
        ({"secrets": {}}, "CRANE_CONTEXT_KEY (missing), CRANE_ADMIN_KEY (missing)"),
        ({"secrets": [1]}, "Pulumi.staging.yaml secrets: is not a map of keys to texts."),
        ({"secrets": {"CRANE_CONTEXT_KEY": ""}}, "CRANE_CONTEXT_KEY (empty)"),
        ({"fingerprint_key": ""}, "fingerprint-key: is missing"),
        ({"account_id": "abc"}, "account-id"),
        ({"unknown_key": "x"}, "Pulumi.staging.yaml crane-infra:unknown-key: is not known."),
        ({"databases": committed("production")["databases"]}, "is a database of Pulumi.production.yaml"),
    ],
)
def test_bad_input_is_refused_before_anything_is_registered(
    declare: Declare, nothing_registered: list[str], changes: dict[str, Any], text: str
) -> None:
    assert text in refusal(declare, **changes)
    assert nothing_registered == []


@pytest.mark.parametrize(
    ("stacks", "text"),
    [
        ({}, "production gate closed: there is no stack staging."),
        ({STAGING: {}}, "production gate closed: staging has not proven any release."),
        ({STAGING: {"proofs": []}}, "production gate closed: staging has not proven any release."),
        ({STAGING: {"proofs": "yes"}}, "production gate closed: the proofs of staging cannot be read"),
        ({STAGING: {"__proofs": "yes", "__environment": {}}}, "its outputs cannot be read (__proofs: is not a text that crane packed)"),
        ({STAGING: {"__environment": {}}}, "its outputs cannot be read (__proofs: is not a text that crane packed)"),
        ({STAGING: {"environment": "staging", **NOTHING_PROVEN}}, "production gate closed: staging has not proven any release."),
    ],
)
def test_an_update_of_production_without_a_proof_registers_nothing(
    declare: Declare, nothing_registered: list[str], stacks: dict[str, Any], text: str
) -> None:
    assert text in refusal(declare, "production", stacks)
    assert nothing_registered == []


def test_a_preview_of_production_with_a_closed_gate_shows_the_whole_diff(declare: Declare) -> None:
    assert set(declare("production", preview=True).of("D1Database")) == {"crane-context-db", "crane-classifier-db"}


def test_a_check_that_cannot_be_sent_is_refused_with_all_others_before_anything_is_registered(
    declare: Declare, nothing_registered: list[str]
) -> None:
    secrets = committed("staging")["secrets"] | {"CRANE_CONTEXT_KEY": "canary-for-ü-context"}
    with pytest.raises(CraneError) as caught:
        declare("staging", secrets=secrets)
    lines = str(caught.value).split("\n")
    assert [line.partition(":")[0] for line in lines] == [
        "crane-context-staging GET /active (check reads D1 with its key)",
        "crane-context-staging POST /smoke (check writes D1)",
    ]
    assert all("the value of the secret CONTEXT_RELAY_KEY cannot be sent in a header" in line for line in lines)
    assert "canary" not in str(caught.value)
    assert nothing_registered == []


def test_a_module_that_holds_the_present_commit_is_named(declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "1a2b3c4d5e6f70819203a4b5c6d7e8f901234567")  # outside of git
    logged: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", logged.append)
    workers = shutil.copytree(ROOT / "workers", tmp_path / "workers")
    present = head(ROOT) or ""
    (workers / "crane-context" / "dist" / "keys.js").write_text(f"// {present[:9]}", encoding="utf-8")
    declare("staging", workers_dir=str(workers), preview=True)
    (line,) = [line for line in logged if "holds the commit" in line]
    assert line.startswith(f"worker crane-context-staging: keys.js holds the commit {present[:7]}, so each commit is another release")


def test_a_proof_of_another_account_does_not_open_the_gate(declare: Declare, nothing_registered: list[str]) -> None:
    outputs = recorded(declare("staging"))
    nothing_registered.clear()
    text = refusal(declare, "production", {STAGING: outputs}, account_id="f" * 32)
    assert f"is for account {ACCOUNT}" in text
    assert nothing_registered == []


def test_a_distinct_secret_that_staging_uses_is_refused_by_name(declare: Declare, nothing_registered: list[str]) -> None:
    outputs = recorded(declare("staging"))
    nothing_registered.clear()
    secrets = committed("production")["secrets"] | {"CRANE_ADMIN_KEY": committed("staging")["secrets"]["CRANE_ADMIN_KEY"]}
    assert "CRANE_ADMIN_KEY: has the same value as in staging." in refusal(declare, "production", {STAGING: outputs}, secrets=secrets)
    assert nothing_registered == []


def test_a_distinct_secret_that_is_shared_for_a_while_is_said_with_the_last_day(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, logged = recorded(declare("staging")), list[str]()
    monkeypatch.setattr("pulumi.log.info", lambda text, *_: logged.append(text))
    secrets = committed("production")["secrets"] | {"CRANE_ADMIN_KEY": committed("staging")["secrets"]["CRANE_ADMIN_KEY"]}
    marks = {"CRANE_ADMIN_KEY": {"reason": "moving", "until": "2999-12-31"}, "CRANE_CONTEXT_KEY": {"reason": "-", "until": "2999-12-31"}}
    declare("production", {STAGING: outputs}, preview=True, secrets=secrets, shared_secrets=marks)
    said = [line for line in logged if "is shared by both environments" in line]
    assert len(said) == 1
    assert said[0].startswith("CRANE_ADMIN_KEY is shared by both environments until 2999-12-31: ")


def test_a_renamed_database_is_refused(declare: Declare, nothing_registered: list[str]) -> None:
    outputs = recorded(declare("staging"))
    nothing_registered.clear()
    databases = committed("staging")["databases"]
    databases["crane-context-db"]["name"] = "another-name"
    assert "was renamed from crane-context-db-staging to another-name" in refusal(
        declare, "staging", {STAGING: outputs}, databases=databases
    )
    assert nothing_registered == []


def test_secrets_can_come_from_the_environment_instead(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in committed("staging")["secrets"].items():
        monkeypatch.setenv(key, f"{value}-from-env")
    declared = declare("staging", secret_source="environment", secrets={})
    bindings = {one["name"]: one for one in declared.of("WorkerVersion")["crane-context"]["bindings"]["value"]}
    assert bindings["CONTEXT_RELAY_KEY"]["text"] == "canary-relay-staging-from-env"


def test_secrets_can_come_from_infisical_instead(declare: Declare, monkeypatch: pytest.MonkeyPatch, nothing_registered: list[str]) -> None:
    monkeypatch.setenv(CLIENT_ID, infisical_server.CLIENT)
    monkeypatch.setenv(CLIENT_SECRET, infisical_server.CLIENT_SECRET)
    with infisical_server.running() as infisical:
        infisical.put(**{key: f"{value}-from-infisical" for key, value in committed("staging")["secrets"].items()})
        place = infisical.settings().model_dump(exclude={"identity", "audience"})
        declared = declare("staging", secret_source="infisical", infisical=place, secrets={})
        bindings = {one["name"]: one for one in declared.of("WorkerVersion")["crane-context"]["bindings"]["value"]}
        assert bindings["CONTEXT_RELAY_KEY"]["text"] == "canary-relay-staging-from-infisical"
        nothing_registered.clear()
        infisical.script("list", infisical_server.failure(403, "PermissionDenied", "no"))
        assert "the machine identity may not list the secrets" in refusal(declare, secret_source="infisical", infisical=place, secrets={})
    assert nothing_registered == []


def test_the_migrations_that_cannot_be_applied_are_refused_at_once_by_relative_paths(
    declare: Declare, nothing_registered: list[str], tmp_path: Path
) -> None:
    for worker in ("crane-context", "crane-classifier"):
        (tmp_path / worker / "dist").mkdir(parents=True)
        (tmp_path / worker / "dist" / "index.js").write_text("export default {}", encoding="utf-8")
        (tmp_path / worker / "migrations").mkdir()
        (tmp_path / worker / "migrations" / "0001_first.sql").write_text("BEGIN;", encoding="utf-8")
    with pytest.raises(CraneError) as caught:
        declare("staging", workers_dir=str(tmp_path))
    lines = str(caught.value).splitlines()
    shown = [
        f"{tmp_path.name}/{worker}/migrations/0001_first.sql: BEGIN is not allowed in a migration"
        for worker in ("crane-context", "crane-classifier")
    ]
    assert [line.partition(". ")[0] for line in lines] == shown
    assert nothing_registered == []


def test_production_is_refused_while_its_fingerprints_cannot_be_compared_with_staging_s(
    declare: Declare, nothing_registered: list[str]
) -> None:
    outputs = recorded(declare("staging"))
    nothing_registered.clear()
    assert "fingerprint-key: differs from the one of staging" in refusal(
        declare, "production", {STAGING: outputs}, fingerprint_key="canary-of-another-key"
    )
    assert nothing_registered == []


def test_staging_can_renew_its_fingerprint_key_first(declare: Declare) -> None:
    outputs = {"environment": {"secrets": {"fingerprint-key": "0" * 16}}}
    assert "release" in declare("staging", {PRODUCTION: outputs}, fingerprint_key="canary-of-another-key").of("Stash")


@pytest.fixture
def read_settings(declare: Declare) -> Callable[..., Settings]:  # noqa: ARG001
    """Reads the settings of a stack with the provider's token in its configuration; ``declare`` clears up afterwards."""

    def read_of(stack: str, *, encrypted: bool) -> Settings:
        own = {f"crane-infra:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in committed("staging").items()}
        token = {"cloudflare:apiToken": "canary-configured"}
        pulumi.runtime.set_all_config(own | token, [*token] if encrypted else [])
        set_mocks(Declared(), project="crane-infra", stack=stack, organization="organization")
        return own_settings()

    return read_of


def test_a_token_in_the_clear_is_refused_and_an_encrypted_one_is_taken(read_settings: Callable[..., Settings]) -> None:
    assert read_settings("staging", encrypted=True).api_token.get_secret_value() == "canary-configured"
    with pytest.raises(CraneError) as caught:
        read_settings("staging", encrypted=False)
    assert (
        str(caught.value)
        == "Pulumi.staging.yaml cloudflare:apiToken: is stored in the clear. Replace the token, and store the new one with --secret."
    )


def test_a_stack_that_is_no_environment_is_refused_by_its_name(read_settings: Callable[..., Settings]) -> None:
    with pytest.raises(CraneError, match=r"^stack sandbox: is not an environment\. Use one of staging, production\.$"):
        read_settings("sandbox", encrypted=True)
