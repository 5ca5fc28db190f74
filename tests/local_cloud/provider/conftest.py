"""The engine, and every recorded or described scenario run once with the stand-in provider."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.local_cloud.provider.described import DESCRIBED_LANES
from tests.local_cloud.provider.engine import Run, Stack, provider_at, search_path
from tests.local_cloud.provider.replay import Replay, replaying
from tests.local_cloud.provider.scenarios import BY_HAND, Scenario, creation_of, exchanges, lanes


@dataclass(frozen=True)
class Walked:
    """The result of one scenario. ``plan`` is the run whose steps are compared: a failed update does not reach them all."""

    plan: Run
    run: Run
    missing: list[str]
    unexpected: list[str]
    base_url: str
    state: str


@pytest.fixture(scope="session")
def pulumi() -> str:
    """The engine. Without it the tests fail instead of being skipped."""
    program = shutil.which("pulumi", path=search_path())
    if program is None or shutil.which("pulumi-language-python", path=search_path()) is None:
        pytest.fail("pulumi: neither on PATH nor in .crane/engine/bin. Run `make engine`.")
    return program


@pytest.fixture
def make_stack(pulumi: str, tmp_path: Path) -> Iterator[Callable[[], tuple[Stack, Replay]]]:
    """Creates a stack with its own provider and replay."""
    with ExitStack() as running:
        yield lambda: _start(running, pulumi, tmp_path)


@pytest.fixture(scope="session")
def walked(pulumi: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walked]:
    """Every scenario by name. Each stack's scenarios run one after the other, the stacks side by side."""
    all_lanes = [*lanes(), *DESCRIBED_LANES]
    folders = [tmp_path_factory.mktemp("lane") for _ in all_lanes]
    with ThreadPoolExecutor(max_workers=2) as pool:
        walks = list(pool.map(lambda lane, folder: _walk(pulumi, folder, lane), all_lanes, folders))
    return {name: result for walk in walks for name, result in walk.items()}


def _start(running: ExitStack, pulumi: str, folder: Path) -> tuple[Stack, Replay]:
    replay = running.enter_context(replaying())
    provider = running.enter_context(provider_at(replay.base_url))
    return running.enter_context(Stack(folder, pulumi, provider.port)), replay


def _walk(pulumi: str, folder: Path, lane: list[Scenario]) -> dict[str, Walked]:
    with ExitStack() as running:
        stack, replay = _start(running, pulumi, folder)
        if lane[0]["scenario"] == BY_HAND:
            replay.expect(creation_of(lane[0]))
            assert stack.run("up", lane[0]["inputs"]).exit == 0
        return {scenario["scenario"]: _step(stack, replay, scenario) for scenario in lane}


def _step(stack: Stack, replay: Replay, scenario: Scenario) -> Walked:
    replay.expect(exchanges(scenario))
    inputs = scenario["inputs"]
    preview = stack.run("preview", inputs) if "command" not in scenario or scenario["exit"] else None
    run = stack.run(scenario["command"], inputs) if "command" in scenario else preview
    assert run is not None
    missing = [f"{exchange.method} {exchange.path} {exchange.body}" for exchange in replay.expected]
    unexpected = [f"{method} {path} {body}" for method, path, body in replay.unexpected]
    state = stack.export() if "state" in scenario else ""
    return Walked(preview or run, run, missing, unexpected, replay.base_url, state)
