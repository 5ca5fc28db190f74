"""An update of a script's settings changes only what is declared: not what changes at the same moment, nor what the provider does not send."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crane_infra.config.script_settings import Observability, ScriptSettings
from crane_infra.config.settings import Settings
from crane_infra.errors import LiveError
from crane_infra.live.account import open_account
from crane_infra.live.declared import DeclaredScript, deviations, set_back
from crane_infra.live.script_settings import completed
from crane_infra.program.hooks.script_settings import SettingsGuard
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from tests.cloud import Api, Body

pytestmark = pytest.mark.cloud

DECLARED = ScriptSettings(logpush=True).declared
WORKER = "/accounts/{a}/workers/workers/{id}"
ISSUES = {"observability": {"issues": {"enabled": True}}, "tags": ["a"]}


@pytest.fixture
def settings(cloud: Running, tmp_path: Path) -> Settings:
    """The settings of a stack on the local cloud."""
    return Settings.model_validate(
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
            "workers": {},
        }
    )


@pytest.fixture
def worker(api: Api) -> Body:
    """A worker with a setting that the provider does not know."""
    worker = api.worker()
    return api.result("PATCH", f"/workers/workers/{worker['id']}", ISSUES)  # type: ignore[no-any-return]


@pytest.fixture
def logged() -> list[str]:
    """What the hooks log."""
    return []


MakeGuard = Callable[[], SettingsGuard]


@pytest.fixture
def guard(settings: Settings, worker: Body, logged: list[str]) -> SettingsGuard:
    """Around an update that declares ``logpush``, in a run that began with the worker as it is."""
    return SettingsGuard(settings, worker["name"], DECLARED, completed(worker, DECLARED), logged.append)


def put(api: Api, worker: Body, guard: SettingsGuard) -> None:
    """Send the settings as the provider does."""
    api.result("PUT", f"/workers/workers/{worker['id']}", {"name": worker["name"], **guard.sent})


def live(api: Api, worker: Body) -> Body:
    """The worker as it is."""
    return api.result("GET", f"/workers/workers/{worker['id']}")  # type: ignore[no-any-return]


class TestAnUpdate:
    async def test_changes_what_is_declared_and_nothing_else(self, api: Api, worker: Body, guard: SettingsGuard, logged: list[str]) -> None:
        await guard.check()
        put(api, worker, guard)
        assert "issues" not in live(api, worker)["observability"]
        await guard.restore()
        subdomain = {"enabled": True, "previews_enabled": False}
        after = live(api, worker)
        assert {**after, "updated_on": ""} == {**worker, "logpush": True, "subdomain": subdomain, "updated_on": ""}
        assert logged == [f"worker {worker['name']}: set again what the provider does not send: observability.issues.enabled"]

    async def test_makes_no_call_after_it_where_there_is_nothing_to_set_again(
        self, api: Api, guard: SettingsGuard, worker: Body, faults: Faults
    ) -> None:
        api.result("PUT", f"/workers/workers/{worker['id']}", {"name": worker["name"], "tags": ["a"], "subdomain": worker["subdomain"]})
        await guard.check()
        faults.reset()
        await guard.restore()
        assert faults.calls() == []

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"tags": ["b"]}, "tags"),
            ({"observability": {"head_sampling_rate": 0.5, "traces": {"enabled": True}}}, "observability"),
            ({"tail_consumers": [{"name": "tail"}]}, "the tail consumers"),
        ],
        ids=["tags", "observability", "tail consumers"],
    )
    async def test_is_not_sent_where_somebody_changed_what_it_would_overwrite(
        self, api: Api, worker: Body, guard: SettingsGuard, change: Body, named: str
    ) -> None:
        api.result("PATCH", f"/workers/workers/{worker['id']}", change)
        with pytest.raises(LiveError) as caught:
            await guard.check()
        what = f"{named} changed while this run was under way, so nothing was sent"
        assert str(caught.value) == f"worker {worker['name']}: {what}. Run the same command again."

    async def test_is_sent_where_somebody_changed_what_is_declared_or_what_the_provider_does_not_send(
        self, api: Api, worker: Body, guard: SettingsGuard
    ) -> None:
        change = {"logpush": True, "subdomain": {"enabled": False}, "observability": {"redact_query_string": True}}
        api.result("PATCH", f"/workers/workers/{worker['id']}", change)
        await guard.check()
        put(api, worker, guard)
        await guard.restore()
        after = live(api, worker)["observability"]
        assert (after["issues"], after["redact_query_string"]) == ({"enabled": True}, True)

    async def test_that_cannot_set_again_what_it_lost_names_it(self, api: Api, worker: Body, guard: SettingsGuard, faults: Faults) -> None:
        await guard.check()
        put(api, worker, guard)
        faults.fail(f"PATCH {WORKER}", status=403)
        with pytest.raises(LiveError) as caught:
            await guard.restore()
        assert "observability.issues.enabled" in str(caught.value)
        assert "(403)" in str(caught.value)

    async def test_of_a_worker_that_is_gone_is_left_to_the_provider(self, api: Api, worker: Body, guard: SettingsGuard) -> None:
        api.result("DELETE", f"/workers/workers/{worker['id']}")
        await guard.check()
        await guard.restore()


class TestWhatIsSaidOfIt:
    def test_names_what_it_leaves(self, guard: SettingsGuard, worker: Body, logged: list[str]) -> None:
        guard.announce({**worker, "tags": [], "logpush": False})
        assert logged == [f"worker {worker['name']}: tags changed since the last run; no file declares that, so it is left as it is"]

    def test_is_nothing_where_only_declared_settings_change(self, guard: SettingsGuard, worker: Body, logged: list[str]) -> None:
        guard.announce({**worker, "logpush": False})
        assert logged == []

    def test_is_that_nothing_changes_where_a_reply_lacked_defaults(self, guard: SettingsGuard, logged: list[str]) -> None:
        guard.announce({"logpush": True, "tags": ["a"], "subdomain": {"enabled": True}, "observability": {"enabled": False}})
        assert len(logged) == 1
        assert "this update changes nothing" in logged[0]


class TestDeclaredSettingsThatSomebodyChanged:
    async def test_are_set_back_and_nothing_else(self, api: Api, settings: Settings, worker: Body) -> None:
        observability = Observability.model_validate({"enabled": True, "logs": {"persist": False}})
        declared = DeclaredScript(worker["name"], ScriptSettings(observability=observability).declared, ("0 3 * * *",))
        version = api.upload(worker)
        api.deploy(worker, (version, 100))
        api.result("PUT", f"/workers/scripts/{worker['name']}/schedules", [{"cron": "*/5 * * * *"}])
        async with open_account(settings) as account:
            texts = await set_back(account, declared)
            again = await account.script(worker["name"])
        assert texts == [
            "observability.enabled: off, declared on",
            "observability.logs.persist: on, declared off",
            "the addresses of single versions: on, declared off",
            "the schedules: */5 * * * *, declared 0 3 * * *",
        ]
        assert again is not None
        assert deviations(again, declared) == []
        after: dict[str, Any] = live(api, worker)
        assert (after["tags"], after["observability"]["issues"]) == (["a"], {"enabled": True})

    async def test_are_not_schedules_that_no_file_declares(self, api: Api, settings: Settings, worker: Body) -> None:
        declared = DeclaredScript(worker["name"], {"subdomain": {"enabled": True, "previews_enabled": True}}, None)
        api.deploy(worker, (api.upload(worker), 100))
        api.result("PUT", f"/workers/scripts/{worker['name']}/schedules", [{"cron": "*/5 * * * *"}])
        async with open_account(settings) as account:
            assert await set_back(account, declared) == []
            assert (await account.script(worker["name"]) or pytest.fail("it is gone")).crons == ("*/5 * * * *",)
