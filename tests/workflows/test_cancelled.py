"""A staging run that is cancelled, or started again after main went on. Told by the workflow itself, with the signals that GitHub sends.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from crane_infra.config.environments import ENVIRONMENTS
from local_cloud.faults.model import Hold
from tests.workflows.place import Place, place
from tests.workflows.runner import Ran, Run
from tests.world import warm
from tests.world.engine import Engine, search_path
from tests.world.started import PATIENCE, until

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

UPLOAD = "POST /accounts/{a}/workers/workers/{id}/versions"
STAGING = "crane-context-staging"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A repository whose first release is proven in staging."""
    with place(tmp_path_factory.mktemp("cancelled"), **warm.in_checkouts(tmp_path_factory.mktemp("commands"), search_path())) as made:
        first = made.pushed()
        assert first.results == {"build": "success", "deploy": "success"}, first.output
        yield made


def next_commit(there: Place, number: int) -> str:
    """Main goes on by a change of code."""
    module = there.workers / "crane-context" / "dist" / "index.js"
    module.write_text(f"// {number}\n{module.read_text(encoding='utf-8')}", encoding="utf-8")
    return there.commit(f"Change {number}")


def locks(there: Place) -> list[Path]:
    """The lock files of both stacks."""
    return [path for path in there.backend.rglob("locks/**/*.json") if path.is_file()]


def versions(there: Place) -> list[str]:
    """The versions of a worker of staging."""
    return [str(version["id"]) for version in there.account.ask("GET", f"/workers/scripts/{STAGING}/versions")["items"]]


def pulumi(there: Place, *words: str) -> None:
    """Run the engine as a person would, in the checkout of the last run of staging."""
    environ = {**there.runner.environ, **there.runner.variables, **there.runner.secrets["staging"]}
    Engine(there.origin, environ).well(*words, "--stack", "staging")


def printed(there: Place) -> str:
    """What the step that runs has printed so far."""
    return there.runner.printing.read_text(encoding="utf-8", errors="replace") if there.runner.printing else ""


@contextmanager
def own_python(there: Place) -> Iterator[None]:
    """Let programs have a Python of their own for a while: what is killed has to end at once."""
    before = there.runner.environ
    there.runner.environ = {name: value for name, value in before.items() if name != "PULUMI_PYTHON_CMD"}
    try:
        yield
    finally:
        there.runner.environ = before


def cancelled_while_it_uploads(there: Place, *, lets_go: bool) -> Ran:
    """Cancel a run of staging while Cloudflare takes its time with an upload; ``lets_go``: the answer comes once the engine has heard of it."""
    with own_python(there), ThreadPoolExecutor() as threads, there.local.faults.fault(UPLOAD, Hold()) as fault:
        going = threads.submit(there.pushed)
        until(lambda: fault.fired or going.done(), "the upload")
        assert fault.fired, printed(there)
        if not lets_go:  # a stopped process takes no signal but the last one
            (lock,) = locks(there)
            os.kill(int(re.findall(r'"pid":(\d+)', lock.read_text(encoding="utf-8"))[0]), signal.SIGSTOP)
        cancelling = threads.submit(there.runner.cancel, PATIENCE if lets_go else 0.0)
        if lets_go:
            until(lambda: "cancelling." in printed(there) or going.done(), "the engine's answer to the signal")
            fault.end()
        cancelling.result()
        run: Run = going.result()
    return run.jobs["deploy"]


@dataclass(frozen=True)
class StartedAgain:
    """The run of an older commit, started again after main went on: at once, and where main went on during the run."""

    old: str
    head: str
    run: Run
    overtaken: Run
    left_everything: bool


@pytest.fixture(scope="module")
def again(hub: Place) -> StartedAgain:
    """Main has a newer commit, which staging has not run yet."""
    old, before = hub.head("main"), (hub.state(), versions(hub))
    head = next_commit(hub, 1)
    run = hub.pushed(old)
    answers, heads = iter([old]), hub.hub.heads
    hub.hub.heads = lambda branch: next(answers, None) or heads(branch)
    overtaken = hub.pushed(old)
    hub.hub.heads = heads
    return StartedAgain(old, head, run, overtaken, before == (hub.state(), versions(hub)))


def test_environments_with_passphrases_of_their_own_have_keys_of_their_own(hub: Place) -> None:
    files = [(hub.origin / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8") for environment in ENVIRONMENTS]
    assert len({yaml.safe_load(file)["encryptionsalt"] for file in files}) == len(ENVIRONMENTS)


class TestARunOfAnOlderCommit:
    def test_stops_with_one_line_that_says_what_to_do(self, again: StartedAgain) -> None:
        line = (
            f"error: commit {again.old[:12]}: is not the head of main, which is {again.head[:12]}: deploying it would take the stack back. "
            f"Nothing was changed. The newest run on main deploys {again.head[:12]}; if there is none, start one there."
        )
        assert again.run.results == {"build": "success", "deploy": "failure"}
        assert [text for text in again.run.output.splitlines() if text.startswith("error: ")] == [line]

    def test_is_stopped_just_before_the_update_where_main_went_on_meanwhile(self, again: StartedAgain) -> None:
        assert again.overtaken.results == {"build": "success", "deploy": "failure"}
        assert "crane release unpack" in again.overtaken.output
        assert f"is not the head of main, which is {again.head[:12]}" in again.overtaken.output
        assert "pulumi up" not in again.overtaken.output

    def test_changes_nothing(self, again: StartedAgain) -> None:
        assert again.left_everything

    def test_stores_its_archive_again(self, again: StartedAgain) -> None:
        assert f"release-{again.run.jobs['build'].outputs['digest']}" in again.run.artifacts


@dataclass(frozen=True)
class Cancelled:
    """A run that was cancelled, and the locks that it left."""

    deploy: Ran
    locks: list[str]


@pytest.fixture(scope="module")
def ended(hub: Place, again: StartedAgain) -> Cancelled:
    """Cancelled, and the engine can end what it is at."""
    assert again.head
    deploy = cancelled_while_it_uploads(hub, lets_go=True)
    return Cancelled(deploy, [path.read_text(encoding="utf-8") for path in locks(hub)])


class TestACancelledRun:
    def test_ends_its_engine_which_unlocks_the_stack(self, ended: Cancelled) -> None:
        assert ended.deploy.result == "cancelled"
        assert "^C received; cancelling." in ended.deploy.output
        assert ended.locks == []

    def test_says_that_nothing_is_locked(self, ended: Cancelled) -> None:
        assert ended.deploy.summary == "stack staging is not locked. To continue where the run stopped, start it again.\n"

    def test_proves_nothing(self, ended: Cancelled) -> None:
        assert "proven at" not in ended.deploy.summary


@pytest.fixture(scope="module")
def killed(hub: Place, ended: Cancelled) -> Cancelled:
    """Cancelled, and the engine cannot end in the ten seconds that GitHub gives it."""
    assert ended.locks == []
    next_commit(hub, 2)
    deploy = cancelled_while_it_uploads(hub, lets_go=False)
    return Cancelled(deploy, [path.read_text(encoding="utf-8") for path in locks(hub)])


class TestACancelledRunThatHadToBeKilled:
    def test_leaves_the_stack_locked_and_says_since_when_by_whom_and_how_to_free_it(self, killed: Cancelled) -> None:
        assert killed.deploy.result == "cancelled"
        assert killed.locks, killed.deploy.output
        (lock,) = killed.locks
        holder = {key: re.search(rf'"{key}":"?([^",}}]+)', lock) for key in ("username", "hostname", "pid", "timestamp")}
        user, host, pid, since = (found[1] for found in holder.values() if found)
        assert re.fullmatch(
            rf"stack staging is locked:\n\n- file:///\S+\.json\S*: created by {user}@{host} \(pid {pid}\) at {since[:19]}Z\n\n"
            r"Nothing frees it by itself\. Make sure that no run of staging is active, free it with `pulumi cancel -s staging`, then start "
            r"the run again: it continues where this one stopped\. The runbook has more: \*A run was killed\*\.\n",
            killed.deploy.summary,
        )

    def test_is_continued_by_the_next_run_once_the_lock_is_gone(self, hub: Place, killed: Cancelled) -> None:
        assert killed.locks
        pulumi(hub, "cancel", "--yes")
        pulumi(hub, "refresh", "--yes", "--skip-preview", "--clear-pending-creates")
        ran = hub.pushed()
        assert ran.results == {"build": "success", "deploy": "success"}, ran.output
        assert locks(hub) == []
