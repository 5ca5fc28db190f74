"""What no file declares stays as it is live, whatever is updated; what is declared and was changed beside the stack is found and set back.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.program.announce.test_manual import BY_HAND, Verified, verify, well
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.world import SETTINGS, World
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

WORKER, SCRIPT, CRON = "crane-context", "crane-context-staging", "0 3 * * *"
STREAM = {"enabled": True, "head_sampling_rate": 0.5, "persist": False, "destinations": ["grafana"]}
DASHBOARD: dict[str, Any] = {
    "observability": {
        "enabled": True,
        "head_sampling_rate": 0.25,
        "logs": {**STREAM, "invocation_logs": False},
        "traces": STREAM,
        "issues": {"enabled": True},
    },
    "logpush": True,
    "tags": ["team:crane"],
    "tail_consumers": [{"name": "crane-classifier-staging"}],
}
"""Every setting that no file declares, and one that the provider does not know."""
OTHERWISE: dict[str, Any] = {
    "observability": {**DASHBOARD["observability"], "head_sampling_rate": 0.75, "traces": {**STREAM, "enabled": False}},
    "logpush": False,
    "tags": [],
    "tail_consumers": [],
}


def live(world: World, script: str = SCRIPT) -> Json:
    """The settings of a script."""
    return dict(world.api("GET", f"/workers/workers/{script}")["result"])


def schedules(world: World) -> list[str]:
    """The schedules of a script."""
    return [one["cron"] for one in world.api("GET", f"/workers/scripts/{SCRIPT}/schedules")["result"]["schedules"]]


def in_dashboard(world: World, settings: Json, script: str = SCRIPT) -> None:
    """Change settings as the dashboard does, and nothing else."""
    world.api("PATCH", f"/workers/workers/{script}", settings)


def declare(world: World, stack: str = "staging", worker: str = WORKER, **settings: object) -> None:
    """Set settings of a worker in a stack file."""
    content = world.stack_file(stack)
    content["config"][f"{SETTINGS}:workers"][worker] |= {key.replace("_", "-"): value for key, value in settings.items()}
    world.write_stack_file(stack, content)


def undeclared(settings: Json, *declared: str) -> Json:
    """Of these settings, those that no file declares."""
    return {key: settings[key] for key in DASHBOARD if key not in declared}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging is deployed."""
    with proven_world(tmp_path_factory) as made:
        yield made


@dataclass(frozen=True)
class Updated:
    """A run after a change in the dashboard, and what was live after it."""

    run: Result
    live: Json


@pytest.fixture(scope="module")
def addresses(world: World) -> Updated:
    """Every setting is changed in the dashboard; then the file switches on the addresses of versions, and declares a schedule."""
    in_dashboard(world, DASHBOARD)
    declare(world, preview_urls=True, crons=[CRON])
    return Updated(well(world.up("staging")), live(world))


class TestAnUpdateOfTheAddresses:
    def test_changes_them_and_nothing_else(self, addresses: Updated) -> None:
        assert addresses.live["subdomain"] == {"enabled": True, "previews_enabled": True}
        assert undeclared(addresses.live) == DASHBOARD

    def test_says_what_it_leaves(self, addresses: Updated) -> None:
        line = addresses.run.line("no file declares that")
        assert line.endswith(
            f"worker {SCRIPT}: logpush, observability, tags, the tail consumers changed since the last run; "
            "no file declares that, so it is left as it is"
        )

    def test_is_over_with_the_next_run(self, world: World, addresses: Updated) -> None:
        assert addresses.run.exit == 0
        well(world.up("staging", "--expect-no-changes"))


@pytest.fixture(scope="module")
def declared(world: World, addresses: Updated) -> Updated:  # noqa: ARG001 - it has to come first
    """Every setting is changed in the dashboard again; then the file declares one of them, and one value of another."""
    in_dashboard(world, OTHERWISE)
    declare(world, logpush=True, observability={"logs": {"persist": True}})
    return Updated(well(world.up("staging")), live(world))


class TestSettingsThatAreDeclared:
    def test_are_changed_and_no_others(self, declared: Updated) -> None:
        assert declared.live["logpush"] is True
        assert undeclared(declared.live, "logpush", "observability") == undeclared(OTHERWISE, "logpush", "observability")
        logs = {**OTHERWISE["observability"]["logs"], "persist": True}
        assert declared.live["observability"] == {**OTHERWISE["observability"], "logs": logs, "issues": {"enabled": True}}

    def test_are_recorded_as_declared_and_only_they(self, world: World, declared: Updated) -> None:
        assert declared.run.exit == 0
        assert world.outputs("staging")["environment"]["workers"][WORKER]["settings"] == {
            "observability": {"logs": {"persist": True}},
            "logpush": True,
            "subdomain": {"enabled": True, "previews_enabled": True},
        }


@dataclass(frozen=True)
class Seen:
    """A change in the dashboard: what a preview says, what a run without and with a refresh does."""

    preview: Result
    run: Result
    again: Result
    refreshed: Result
    live: Json


@pytest.fixture(scope="module")
def seen(world: World, declared: Updated) -> Seen:  # noqa: ARG001 - it has to come first
    """Tags are changed in the dashboard, and nothing in any file; later, a sampling rate."""
    in_dashboard(world, {"tags": ["team:b", "team:a"]})
    preview, run = world.preview_and_up("staging")
    again = world.up("staging", "--expect-no-changes")
    in_dashboard(world, {"observability": {"head_sampling_rate": 0.125}})
    return Seen(preview, run, again, world.up("staging", "--refresh", "--expect-no-changes"), live(world))


class TestAChangeInTheDashboardAlone:
    def test_is_shown_once_as_an_update_that_leaves_it(self, seen: Seen) -> None:
        assert "~ 1 to update" in well(seen.preview).output
        assert "tags changed since the last run; no file declares that, so it is left as it is" in seen.preview.output
        well(seen.run)
        well(seen.again)

    def test_is_no_change_for_a_run_that_refreshes(self, seen: Seen) -> None:
        well(seen.refreshed)

    def test_stays(self, seen: Seen) -> None:
        assert sorted(seen.live["tags"]) == ["team:a", "team:b"]
        assert seen.live["observability"]["head_sampling_rate"] == 0.125


@dataclass(frozen=True)
class Returned:
    """A worker that somebody deployed with wrangler: what crane verify and the next runs made of it."""

    verified: Verified
    preview: Result
    run: Result
    live: Json
    after: Verified
    again: Result


@pytest.fixture(scope="module")
def returned(world: World, seen: Seen, tmp_path_factory: pytest.TempPathFactory) -> Returned:  # noqa: ARG001 - it has to come first
    """Wrangler deploys other code with a variable and another schedule, and switches off every address; the dashboard stops logpush."""
    deploy_with_wrangler(world, tmp_path_factory.mktemp("wrangler"))
    in_dashboard(world, {"logpush": False})
    verified = verify(world, "staging")
    preview, run = world.preview_and_up("staging")
    return Returned(verified, preview, run, live(world), verify(world, "staging"), world.up("staging", "--expect-no-changes"))


def deploy_with_wrangler(world: World, folder: Path) -> None:
    """Deploy a worker as somebody does who does not know of this stack."""
    content = {
        "name": SCRIPT,
        "main": "index.js",
        "compatibility_date": "2024-01-01",
        "workers_dev": False,
        "preview_urls": False,
        "triggers": {"crons": ["*/5 * * * *"]},
        "vars": {"SET_BY_HAND": "yes", "ENVIRONMENT": "elsewhere"},
        "placement": {"mode": "smart"},
    }
    (folder / "wrangler.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "index.js").write_text(BY_HAND, encoding="utf-8")
    Wrangler(world.cloud, folder)("deploy")


CHANGED = (
    "logpush: off, declared on; the workers.dev address: off, declared on; "
    f"the addresses of single versions: off, declared on; the schedules: */5 * * * *, declared {CRON}"
)


class TestAWorkerThatWranglerDeployed:
    def test_is_found_by_verify_with_its_addresses_and_schedules(self, returned: Returned) -> None:
        assert returned.verified.exit == 3
        assert f"worker {SCRIPT}: was changed beside this stack: {CHANGED}" in returned.verified.findings

    def test_is_announced_with_all_that_the_run_takes_away_and_sets_back(self, returned: Returned) -> None:
        for run in (well(returned.preview), well(returned.run)):
            replaced = run.line("this run returns it to its release")
            assert replaced.endswith(
                "this run returns it to its release: the plain_text binding SET_BY_HAND goes away; placement (mode smart) goes away; "
                "the plain_text binding ENVIRONMENT: elsewhere becomes staging."
            )
            assert run.line("changed beside").endswith(
                f"worker {SCRIPT}: changed beside this stack: {CHANGED}. This run sets it back; to keep it, declare it in Pulumi.staging.yaml."
            )

    def test_is_returned_whole_with_what_no_file_declares_as_it_was(self, world: World, returned: Returned) -> None:
        assert world.answering(SCRIPT) == world.proofs("staging")[0]["workers"][WORKER]["version"]
        assert returned.live["subdomain"] == {"enabled": True, "previews_enabled": True}
        assert returned.live["logpush"] is True
        assert schedules(world) == [CRON]
        assert f"worker {SCRIPT}: set back the schedules: */5 * * * *, declared {CRON}" in returned.run.output

    def test_is_as_released_again(self, returned: Returned) -> None:
        assert (returned.after.exit, returned.after.findings) == (0, []), returned.after.output
        well(returned.again)
