"""A worker is declared with every setting: those of the files, and the rest as they are live. What would be lost by an adoption stops it."""

from typing import Any

import pulumi
import pytest

from crane_infra import catalog
from crane_infra.config.bindings import Ai, RateLimit, SecretsStoreSecret
from crane_infra.errors import ApiError, SettingsError
from tests.program.graph.account import Account
from tests.program.graph.conftest import PLANTED, Declare, Declared, committed, recorded

STAGING = "organization/crane-infra/staging"
SCRIPT = "crane-context-staging"
STREAM = {"enabled": False, "headSamplingRate": 1, "persist": True, "destinations": []}
DEFAULTS = {
    "logpush": False,
    "observability": {"enabled": False, "headSamplingRate": 1, "logs": {**STREAM, "invocationLogs": True}, "traces": STREAM},
    "tags": [],
    "tailConsumers": [],
    "subdomain": {"enabled": True, "previewsEnabled": False},
}


def workers(**settings: object) -> dict[str, Any]:
    """The workers of staging's file, with these settings for crane-context."""
    content: dict[str, Any] = committed("staging")["workers"]
    content["crane-context"] |= {key.replace("_", "-"): value for key, value in settings.items()}
    return content


def script(declared: Declared, name: str = "crane-context") -> dict[str, Any]:
    """The declared settings of a script."""
    return {key: value for key, value in declared.of("worker:Worker")[name].items() if key not in ("accountId", "name")}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program logs as warnings and errors."""
    lines: list[str] = []
    for level in ("warn", "error"):
        monkeypatch.setattr(pulumi.log, level, lines.append)
    return lines


def with_schedules() -> dict[str, Any]:
    """The workers of staging, not adopted, each with a schedule."""
    return {name: {**one, "adopt": False, "crons": ["*/5 * * * *"]} for name, one in workers().items()}


class TestScriptSettings:
    def test_have_cloudflare_s_defaults_where_nothing_is_live(self, declare: Declare) -> None:
        assert script(declare("staging")) == DEFAULTS

    def test_are_as_they_are_live_where_no_file_declares_them(self, declare: Declare, account: Account) -> None:
        account.scripts[SCRIPT] = {
            "logpush": True,
            "observability": {"enabled": True, "logs": {"enabled": True}, "issues": {"enabled": True}},
            "tags": ["a"],
            "tail_consumers": [{"name": "tail"}],
            "subdomain": {"enabled": False, "previews_enabled": True},
        }
        logs = {**STREAM, "enabled": True, "invocationLogs": True}
        assert script(declare("staging")) == {
            "logpush": True,
            "observability": {**DEFAULTS["observability"], "enabled": True, "logs": logs},  # type: ignore[dict-item]
            "tags": ["a"],
            "tailConsumers": [{"name": "tail"}],
            "subdomain": DEFAULTS["subdomain"],
        }
        assert script(declare("staging"), "crane-classifier") == DEFAULTS

    def test_are_as_they_are_live_of_a_worker_without_a_version_too(self, declare: Declare, account: Account) -> None:
        account.scripts[SCRIPT] = {"logpush": True}
        account.without_version.add(SCRIPT)
        content = {name: {**one, "adopt": False} for name, one in workers().items()}
        assert script(declare("staging", workers=content)) == {**DEFAULTS, "logpush": True}

    def test_are_those_of_the_file_where_it_declares_them(self, declare: Declare, account: Account) -> None:
        account.scripts[SCRIPT] = {"logpush": True, "tags": ["a"]}
        settings = workers(logpush=False, preview_urls=True, tail_consumers=["tail"], observability={"traces": {"enabled": True}})
        assert script(declare("staging", workers=settings)) == {
            **DEFAULTS,
            "observability": {**DEFAULTS["observability"], "traces": {**STREAM, "enabled": True}},  # type: ignore[dict-item]
            "tags": ["a"],
            "tailConsumers": [{"name": "tail"}],
            "subdomain": {"enabled": True, "previewsEnabled": True},
        }

    def test_are_left_out_of_a_preview_that_cannot_read_them(self, declare: Declare, account: Account, logged: list[str]) -> None:
        account.forbidden = "/schedules"
        declared = declare("staging", preview=True, workers=with_schedules())
        request = declared.request("worker:Worker", "crane-context")
        assert script(declared) == {"subdomain": DEFAULTS["subdomain"]}
        assert set(request.ignoreChanges) == {"observability", "tags", "logpush", "tailConsumers"}
        assert declared.request("D1Database", "crane-context-db").ignoreChanges == ["readReplication"]
        assert any(line.startswith("This preview cannot read the settings of the workers") for line in logged)

    def test_that_cannot_be_read_stop_an_update(self, declare: Declare, account: Account) -> None:
        account.forbidden = "/schedules"
        with pytest.raises(ApiError, match=r"^schedules of crane-\w+-staging: the API token may not do this \(403\)"):
            declare("staging", workers=with_schedules())

    def test_are_read_without_schedules_where_no_file_declares_some(self, declare: Declare, account: Account) -> None:
        account.forbidden = "/schedules"
        declared = declare("staging", workers={name: {**one, "adopt": False} for name, one in workers().items()})
        assert not declared.request("worker:Worker", "crane-context").ignoreChanges

    def test_are_guarded_around_each_update_of_them_and_in_previews(self, declare: Declare) -> None:
        declared = declare("staging")
        hooks = declared.request("worker:Worker", "crane-context").hooks
        assert list(hooks.before_update) == ["crane-context-settings-before", "call-begins"]
        assert list(hooks.after_update) == ["crane-context-settings-after"]
        assert "crane-context-settings-before" not in hooks.before_create


class TestReadReplication:
    def test_stays_as_it_is_live_unless_it_is_declared(self, declare: Declare, account: Account) -> None:
        databases = committed("staging")["databases"]
        account.replication[databases["crane-context-db"]["adopt"]] = "auto"
        assert {name: one["readReplication"]["mode"] for name, one in declare("staging").of("D1Database").items()} == {
            "crane-context-db": "auto",
            "crane-classifier-db": "disabled",
        }
        databases["crane-context-db"]["read-replication"] = "disabled"
        databases["crane-classifier-db"]["read-replication"] = "auto"
        assert {name: one["readReplication"]["mode"] for name, one in declare("staging", databases=databases).of("D1Database").items()} == {
            "crane-context-db": "disabled",
            "crane-classifier-db": "auto",
        }


class TestTheVersion:
    def test_binds_services_with_the_environment_that_cloudflare_answers(self, declare: Declare) -> None:
        content = workers()
        content["crane-classifier"]["services"] = {"ADMIN": {"worker": "crane-context", "entrypoint": "Admin"}, "CONTEXT": "crane-context"}
        bindings = declare("staging", workers=content).of("WorkerVersion")["crane-classifier"]["bindings"]["value"]
        assert [one for one in bindings if one["type"] == "service"] == [
            {"name": "ADMIN", "type": "service", "service": SCRIPT, "environment": "production", "entrypoint": "Admin"},
            {"name": "CONTEXT", "type": "service", "service": SCRIPT, "environment": "production"},
        ]

    def test_binds_every_other_kind_with_what_the_stack_file_names(self, declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
        known, kinds = catalog.crane(), {"AI": Ai(), "TOKEN": SecretsStoreSecret(), "LIMIT": RateLimit(limit=5, period=10)}
        changed = {**known.workers, "crane-classifier": known.workers["crane-classifier"].model_copy(update={"bindings": kinds})}
        monkeypatch.setattr(catalog, "crane", lambda: known.model_copy(update={"workers": changed}))
        content = workers()
        content["crane-classifier"]["bindings"] = {"TOKEN": {"store_id": "s", "secret_name": "n"}, "LIMIT": "7"}
        bindings = declare("staging", workers=content).of("WorkerVersion")["crane-classifier"]["bindings"]["value"]
        assert [one for one in bindings if one["name"] in kinds] == [
            {"name": "AI", "type": "ai"},
            {"name": "LIMIT", "type": "ratelimit", "namespaceId": "7", "simple": {"limit": 5, "period": 10}},
            {"name": "TOKEN", "type": "secrets_store_secret", "storeId": "s", "secretName": "n"},
        ]

    def test_has_no_placement_and_no_limits_unless_the_catalog_declares_them(self, declare: Declare) -> None:
        assert not {"placement", "limits"} & declare("staging").of("WorkerVersion")["crane-context"].keys()


LIVE = {
    "compatibility_date": "2024-01-01",
    "placement": {"mode": "smart"},
    "limits": {"cpu_ms": 50},
    "bindings": [{"name": "OLD", "type": "plain_text", "text": "canary-value"}, {"name": "PEM", "type": "secret_text"}],
}
LOST = "the plain_text binding OLD, the secret_text binding PEM, limits (cpu_ms 50), placement (mode smart)"


def refusal(worker: str) -> str:
    """The refusal of an adoption that would drop what is live."""
    todo = "Declare it (docs/adopting.md says where), or give it up in Pulumi.staging.yaml: give-up: [OLD, PEM, limits, placement]."
    return f"Pulumi.staging.yaml workers.{worker}: adopting {worker}-staging would drop what no file declares: {LOST}. {todo}"


class TestAnAdoptionThatWouldDropSomething:
    @pytest.fixture
    def live(self, account: Account) -> Account:
        """Both workers of staging were set up by somebody else."""
        account.serving = {f"{name}-staging": LIVE for name in ("crane-context", "crane-classifier")}
        return account

    def test_is_refused_for_every_worker_at_once_before_anything_is_registered(
        self, declare: Declare, live: Account, logged: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.databases.clear()
        registered: list[str] = []
        monkeypatch.setattr(Declared, "new_resource", lambda _, args: registered.append(args.name))
        with pytest.raises(SettingsError) as caught:
            declare("staging")
        assert [*logged, str(caught.value)] == [refusal("crane-context"), refusal("crane-classifier")]
        assert registered == []

    def test_is_named_with_the_same_words_by_a_preview(self, declare: Declare, live: Account, logged: list[str]) -> None:
        assert live.serving
        assert set(declare("staging", preview=True).of("worker:Worker")) >= {"crane-context", "crane-classifier"}
        assert logged == [f"{refusal(worker)} An update would be refused." for worker in ("crane-context", "crane-classifier")]

    def test_tells_no_secret_of_the_stack_that_stands_in_a_variable(
        self, declare: Declare, live: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines: list[str] = []
        for level in ("info", "warn"):
            monkeypatch.setattr(pulumi.log, level, lines.append)
        planted = f"{PLANTED['CRANE_CONTEXT_KEY']}-staging"
        spoilt = [{"name": "ENVIRONMENT", "type": "plain_text", "text": planted}]
        live.serving[SCRIPT] = {**LIVE, "bindings": spoilt, "placement": {"host": planted}}
        declare("staging", preview=True)
        (line,) = [line for line in lines if line.startswith(f"adopts worker {SCRIPT}")]
        assert "the plain_text binding ENVIRONMENT: " in line
        assert planted not in "".join(lines)

    def test_goes_on_once_it_is_given_up(self, declare: Declare, live: Account, logged: list[str]) -> None:
        assert live.serving
        content = {name: {**one, "give-up": ["OLD", "PEM", "placement", "limits"]} for name, one in workers().items()}
        declare("staging", workers=content)
        assert logged == []

    def test_is_not_looked_at_again_once_it_is_done(self, declare: Declare, live: Account) -> None:
        live.serving.clear()
        outputs = recorded(declare("staging"))
        live.remember(outputs)
        live.serving = {f"{name}-staging": LIVE for name in ("crane-context", "crane-classifier")}
        assert "release" in declare("staging", {STAGING: outputs}, preview=True).of("Stash")


class TestDeclaredSettingsThatSomebodyChanged:
    @pytest.fixture
    def outputs(self, declare: Declare, account: Account) -> dict[str, Any]:
        """What staging exports with schedules and preview addresses."""
        content = workers(preview_urls=True, crons=["0 3 * * *"])
        outputs = recorded(declare("staging", workers=content))
        account.remember(outputs)
        account.serving = {f"{name}-staging": {"id": f"{name}-id"} for name in ("crane-context", "crane-classifier")}
        account.schedules[SCRIPT] = ["0 3 * * *"]
        account.scripts[SCRIPT] = {"subdomain": {"enabled": True, "previews_enabled": True}}
        return outputs

    def again(self, declare: Declare, outputs: dict[str, Any], **settings: object) -> dict[str, Any]:
        """What staging exports in the next run."""
        content = workers(**{"preview_urls": True, "crons": ["0 3 * * *"], **settings})
        return recorded(declare("staging", {STAGING: outputs}, workers=content, preview=True))

    def test_are_none_where_all_is_as_declared(self, declare: Declare, outputs: dict[str, Any], logged: list[str]) -> None:
        assert self.again(declare, outputs)["environment"] == outputs["environment"]
        assert logged == []

    def test_are_said_and_set_back_by_a_run_that_is_due_for_that(
        self, declare: Declare, account: Account, outputs: dict[str, Any], logged: list[str]
    ) -> None:
        account.schedules[SCRIPT] = ["*/5 * * * *"]
        account.scripts[SCRIPT] = {"subdomain": {"enabled": False, "previews_enabled": True}}
        exported = self.again(declare, outputs)
        assert (
            f"worker {SCRIPT}: changed beside this stack: the workers.dev address: off, declared on; "
            "the schedules: */5 * * * *, declared 0 3 * * *. This run sets it back; to keep it, declare it in Pulumi.staging.yaml."
        ) in logged
        mark = exported["environment"]["workers"]["crane-context"].pop("settings-returned")
        assert mark
        assert exported["environment"] == outputs["environment"]

    def test_keep_their_mark_so_that_the_next_run_changes_nothing(self, declare: Declare, outputs: dict[str, Any]) -> None:
        outputs["environment"]["workers"]["crane-context"]["settings-returned"] = "2026-01-01T00:00:00+00:00"
        assert self.again(declare, outputs)["environment"] == outputs["environment"]

    def test_are_not_those_that_the_file_changes_now(self, declare: Declare, outputs: dict[str, Any], logged: list[str]) -> None:
        exported = self.again(declare, outputs, preview_urls=False)
        assert "settings-returned" not in exported["environment"]["workers"]["crane-context"]
        assert not [line for line in logged if "changed beside" in line]
