"""``crane freeze`` on the real engine's state: nothing is promoted until somebody lifts it, and everybody reads who froze it and why."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_cloud.faults.model import Hold
from tests import command_line
from tests.repository import ROOT
from tests.world.copies import promoted_world
from tests.world.engine import Json, Result
from tests.world.started import started
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

WORKER = "crane-context"
DEPLOY = "POST /accounts/{a}/workers/scripts/{name}/deployments"
Ended = subprocess.CompletedProcess[str]


def crane(world: World, *words: str, stack: str = "production") -> Ended:
    """Run a command of crane on a stack."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    return command_line.crane(*words, "-s", stack, environ=environ, cwd=ROOT)


def override(world: World, since: str) -> None:
    """Let runs pass a freeze."""
    settings = world.stack_file("production")
    settings["config"][f"{SETTINGS}:override-freeze"] = since
    world.write_stack_file("production", settings)


@dataclass(frozen=True)
class Frozen:
    """What a frozen production says, to whom and how; the freeze came while a run tried its candidate."""

    meanwhile: Result
    before: str
    active: list[Json]
    freeze: Ended
    again: Ended
    preview: Result
    update: Result
    apply: Ended
    verify: Ended
    overridden: Result
    after: str
    unfreeze: Ended
    nothing: Ended
    staging: Ended

    @property
    def summary(self) -> str:
        """Who, when and why."""
        return self.freeze.stdout.partition(". To lift it")[0]


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frozen]:
    """Production, frozen and lifted."""
    with promoted_world(tmp_path_factory) as world:
        before = world.answering(WORKER)
        replaced = ("--replace", f"**WorkerVersion::{WORKER}")
        with world.faults.fault(DEPLOY, Hold()) as held, started(world, "production", *replaced) as run:
            run.reaches(held)
            freeze = crane(world, "freeze", "--reason", "the sale is on", "--by", "ann")
            held.end()
            meanwhile = run.end()
        active = world.api("GET", f"/workers/scripts/{WORKER}/deployments")["result"]["deployments"][0]["versions"]
        again = crane(world, "freeze", "--reason", "another one")
        preview, update = world.preview_and_up("production")
        apply, verify = crane(world, "migrations", "apply"), crane(world, "verify")
        override(world, freeze.stdout.split(" since ")[1].partition(": ")[0])
        overridden, after = world.up("production"), world.answering(WORKER)
        unfreeze, nothing = crane(world, "unfreeze"), crane(world, "unfreeze")
        yield Frozen(
            meanwhile,
            before,
            active,
            freeze,
            again,
            preview,
            update,
            apply,
            verify,
            overridden,
            after,
            unfreeze,
            nothing,
            crane(world, "freeze", "--reason", "x", stack="staging"),
        )


def test_one_that_comes_during_a_run_stops_it_before_traffic_moves(frozen: Frozen) -> None:
    assert frozen.meanwhile.exit != 0
    line = frozen.meanwhile.line(f'before hook "{WORKER}-traffic" failed: ')
    assert f"production gate closed: {frozen.summary}. {frozen.before} still serves everybody, alone." in line
    assert frozen.active == [{"percentage": 100, "version_id": frozen.before}]


def test_nothing_is_promoted_and_the_line_says_who_when_and_why(frozen: Frozen) -> None:
    (line,) = frozen.update.errors
    assert line.startswith(f"production gate closed: {frozen.summary}. Wait, or lift it with crane unfreeze -s production.")
    assert f"{line} An update would be refused." in frozen.preview.output
    assert frozen.summary.startswith("production is frozen by ann since 20")
    assert frozen.summary.endswith(": the sale is on")


def test_migrations_wait_too(frozen: Frozen) -> None:
    assert (frozen.apply.returncode, frozen.summary in frozen.apply.stderr) == (1, True)


def test_verify_shows_it_and_finds_nothing_wrong(frozen: Frozen) -> None:
    assert (frozen.verify.returncode, frozen.summary in frozen.verify.stdout) == (0, True)


def test_a_setting_that_names_it_lets_a_run_pass_which_says_so(frozen: Frozen) -> None:
    assert frozen.overridden.exit == 0, frozen.overridden.output
    assert f"{frozen.summary}. override-freeze lets this run pass." in frozen.overridden.output
    assert frozen.after != frozen.before


def test_it_is_lifted_once_and_set_once(frozen: Frozen) -> None:
    assert frozen.unfreeze.stdout == f"Lifted: {frozen.summary}\n"
    assert "is not frozen" in frozen.nothing.stderr
    assert f"is frozen already: {frozen.summary}" in frozen.again.stderr
    assert "only production has a gate that a freeze could close" in frozen.staging.stderr
