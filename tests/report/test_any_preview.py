"""Whatever stands in the files that a report is made from, there is a report, or one line that says why not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_infra.config.environments import Environment
from crane_infra.errors import CraneError
from crane_infra.report.render import render
from tests.report.cases import usual_change
from tests.report.stage import Stage
from tests.wrong_values import ABSENT, WRONG, json_values, paths, spoiled

Json = dict[str, Any]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Json]:
    """A clone with a usual change, and its preview."""
    stage = Stage(tmp_path_factory.mktemp("stage"))
    usual_change(stage)
    return stage, stage.preview()


def told(stage: Stage, preview: Json | str, outputs: tuple[Environment, ...] = ()) -> str:
    """The report, or the line that says why there is none."""
    try:
        return render(stage.report(staging=preview, outputs=outputs))  # type: ignore[arg-type]
    except CraneError as error:
        assert_one_line(str(error))
        return str(error)


def assert_one_line(text: str) -> None:
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["absent", "text", "list of null", "object"])
def test_a_part_of_a_preview_that_is_something_else(changed: tuple[Stage, Json], wrong: str) -> None:
    stage, preview = changed
    for path in paths(preview):
        if path and len(path) < 6:
            assert told(stage, spoiled(preview, path, WRONG[wrong]))


@pytest.mark.parametrize("wrong", ["null", "text", "object", "not a number", "deep"])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_part_of_the_outputs_that_is_something_else(changed: tuple[Stage, Json], environment: Environment, wrong: str) -> None:
    stage, preview = changed
    good, stage.packs = stage.outputs[environment], False
    try:
        for path in [path for path in paths(good) if len(path) < 5]:
            stage.outputs[environment] = spoiled(good, path, WRONG[wrong]) if path else good
            assert told(stage, preview, (environment,))
    finally:
        stage.outputs[environment], stage.packs = good, True


@pytest.mark.parametrize("wrong", WRONG)
def test_a_part_of_the_record_that_is_something_else(changed: tuple[Stage, Json], wrong: str) -> None:
    stage, preview = changed
    good = stage.records["staging"]
    assert good
    try:
        for path in paths(json.loads(good)):
            if path or WRONG[wrong] is not ABSENT:
                stage.records["staging"] = json.dumps(spoiled(json.loads(good), path, WRONG[wrong]))
                assert told(stage, preview)
    finally:
        stage.records["staging"] = good


@given(text=st.text(max_size=20) | json_values.map(json.dumps))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text(changed: tuple[Stage, Json], text: str) -> None:
    stage, _ = changed
    assert told(stage, text)


def test_nesting_without_end_is_not_a_preview(changed: tuple[Stage, Json], tmp_path: Path) -> None:
    stage, _ = changed
    assert tmp_path.exists()
    assert told(stage, '{"steps": ' + "[" * 100_000 + "]" * 100_000 + "}").endswith("is not JSON. Write it with pulumi preview --json.")
