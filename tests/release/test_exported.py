"""What a stack exports: people read a few lines, and machines read the same from it as from the outputs of a version before."""

import json
from typing import Any

import pytest

from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.errors import SettingsError
from crane_infra.release.exported import ENVIRONMENT, HISTORY, OUTPUTS, exported, history, plain_outputs, proofs_of
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.packed import packed
from tests.release import before

EITHER = pytest.mark.parametrize("environment", ENVIRONMENTS)
TODO = "Use the version of crane-infra that wrote them, or restore the state: pulumi stack export and import."


def now(environment: Environment) -> dict[str, Any]:
    """The outputs of a version before, as this version exports them."""
    return exported(environment, before.outputs(environment))


@EITHER
def test_machines_read_the_same_as_from_a_version_before(environment: Environment) -> None:
    recorded = before.outputs(environment)
    assert plain_outputs(now(environment)) == recorded
    ours, theirs = read_outputs(now(environment)), read_outputs(recorded)
    assert (ours.proofs, ours.workers, ours.databases, ours.raw) == (theirs.proofs, theirs.workers, theirs.databases, theirs.raw)


@EITHER
def test_what_is_exported_again_is_the_same(environment: Environment) -> None:
    outputs = now(environment)
    assert exported(environment, read_outputs(outputs).recorded) == outputs
    assert exported(environment, read_outputs(before.outputs(environment)).recorded) == outputs


def test_people_read_environment_release_commit_and_addresses() -> None:
    shown = {name: value for name, value in now("production").items() if not name.startswith("__")}
    newest = before.outputs("production")["proofs"][0]
    assert shown == {
        "environment": "production; for more: crane proof -s production --list",
        "release": newest["digest"][:12],
        "commit": newest["commit"],
        "addresses": "https://classifier.example.com https://crane-context.example.workers.dev",
    }


def test_what_the_engine_would_show_fits_a_screen_and_the_rest_is_compact() -> None:
    outputs = now("staging")
    assert len(json.dumps({name: value for name, value in outputs.items() if not name.startswith("__")}, indent=1).splitlines()) < 12
    assert len(outputs[HISTORY]) * 7 < len(json.dumps(before.outputs("staging")["proofs"]))
    assert set(outputs) <= set(OUTPUTS)


def test_a_stack_that_has_proven_nothing_exports_that_and_is_read_as_one() -> None:
    outputs = exported("staging", StackOutputs().recorded)
    assert outputs.keys() == {"environment", HISTORY, ENVIRONMENT}
    assert read_outputs(outputs).proofs == ()


def test_a_version_before_refuses_these_outputs_and_does_not_take_them_for_a_new_stack() -> None:
    """It reads ``environment`` as a map, and refuses a text."""
    with pytest.raises(SettingsError, match=r"^stack staging: its outputs cannot be read \(environment: .*restore the state"):
        read_outputs({"environment": now("staging")["environment"]}, "staging")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({HISTORY: None}, f"{HISTORY}: is not a text that crane packed"),
        ({HISTORY: "1:damaged"}, f"{HISTORY}: is damaged"),
        ({HISTORY: "2:x"}, f"{HISTORY}: has format 2, and this version reads format 1"),
        ({ENVIRONMENT: "x"}, "environment: Input should be a valid dictionary or instance of _Environment"),
    ],
)
def test_a_part_that_cannot_be_read_is_an_error_and_never_counts_as_absent(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_outputs({**now("staging"), **change}, "staging")
    assert str(refused.value) == f"stack staging: its outputs cannot be read ({fault}). {TODO}"


@pytest.mark.parametrize("missing", [HISTORY, ENVIRONMENT])
def test_half_of_what_machines_need_is_an_error(missing: str) -> None:
    outputs = {name: value for name, value in now("staging").items() if name != missing}
    with pytest.raises(SettingsError, match=f"its outputs cannot be read .{missing}: "):
        read_outputs(outputs, "staging")


def test_the_proofs_of_a_record_are_those_that_were_packed() -> None:
    proofs = before.outputs("staging")["proofs"]
    assert proofs_of({"proofs": history({"proofs": proofs})}) == proofs
    assert proofs_of({"proofs": packed({})}) == []
