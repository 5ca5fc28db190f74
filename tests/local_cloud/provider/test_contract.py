"""The stand-in provider does what recordings and descriptions show of the official one: scenario by scenario, under the real engine."""

import json
import re

import pytest

from tests.local_cloud.provider.conftest import Walked
from tests.local_cloud.provider.described import DESCRIBED
from tests.local_cloud.provider.engine import TOKEN, Json, resources
from tests.local_cloud.provider.scenarios import CONTRACT, Scenario

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.xdist_group("contract")]
SCENARIOS = [*CONTRACT, *DESCRIBED]
ALL = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["scenario"])
PLANNED = pytest.mark.parametrize(
    "scenario", [scenario for scenario in SCENARIOS if scenario.get("command", "up") == "up"], ids=lambda scenario: scenario["scenario"]
)
WITH_WARNINGS = pytest.mark.parametrize("scenario", DESCRIBED, ids=lambda scenario: scenario["scenario"])
WITH_STATE = pytest.mark.parametrize(
    "scenario", [recorded for recorded in CONTRACT if "state" in recorded], ids=lambda scenario: scenario["scenario"]
)
RECORDED_BASE = re.compile(r"http://127\.0\.0\.1:\d+/client/v4")


@ALL
def test_the_run_ends_as_recorded(walked: dict[str, Walked], scenario: Scenario) -> None:
    run = walked[scenario["scenario"]].run
    assert run.exit == (scenario.get("exit") or 0), run.output


@ALL
def test_the_requests_are_the_recorded_ones(walked: dict[str, Walked], scenario: Scenario) -> None:
    """Each once, with the recorded body, and no others; dependent requests come in order, because they use earlier replies."""
    done = walked[scenario["scenario"]]
    assert (done.unexpected, done.missing) == ([], [])


@PLANNED
def test_the_operations_and_their_reasons_are_the_recorded_ones(walked: dict[str, Walked], scenario: Scenario) -> None:
    assert _sorted(walked[scenario["scenario"]].plan.steps) == _sorted(scenario["plan"])


@WITH_STATE
def test_the_state_is_the_recorded_one(walked: dict[str, Walked], scenario: Scenario) -> None:
    """Ids, inputs and outputs, with encrypted values where the official provider has them."""
    assert _sorted(resources(walked[scenario["scenario"]].state)) == _sorted(scenario["state"])


@WITH_WARNINGS
def test_the_engine_prints_the_warnings_of_the_provider(walked: dict[str, Walked], scenario: Scenario) -> None:
    """One at the creation of cron triggers, one for what a refresh no longer finds."""
    assert len(walked[scenario["scenario"]].run.warnings) == scenario["warnings"]


def test_a_refusal_says_twice_what_the_official_provider_says(walked: dict[str, Walked]) -> None:
    """Method, URL, status and body."""
    done, scenario = walked["create answers 403"], next(recorded for recorded in CONTRACT if "errors" in recorded)
    for recorded in scenario["errors"]:
        text = RECORDED_BASE.sub(done.base_url, recorded.partition("; error: ")[2])
        assert [error.strip() for error in done.run.errors].count(text) == 1, done.run.errors


def test_no_state_and_no_output_holds_a_secret_or_the_token(walked: dict[str, Walked]) -> None:
    for name, done in walked.items():
        assert TOKEN not in done.state + done.run.output, name
        for text in ('"one"', '"two"'):
            assert text not in done.state, name


def _sorted(records: list[Json]) -> list[Json]:
    return sorted(records, key=lambda record: json.dumps(record, sort_keys=True))
