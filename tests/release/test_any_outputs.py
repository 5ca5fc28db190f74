"""Whatever a stack exported, each reader of its outputs answers, or refuses in one line; a part of another type never counts as absent."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.config.consistency import neighbours, require_consistent, require_nothing_lost
from crane_infra.errors import CraneError, SettingsError
from crane_infra.release.choice import Choice, chosen
from crane_infra.release.gate import verdict_for
from crane_infra.release.manifest import Release
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.proof import extended
from crane_infra.release.rollback import migrations_after, require_meant
from tests.release import before
from tests.wrong_values import WRONG, json_values, paths, spoiled

Outputs = dict[str, Any]
Reader = Callable[[Any], object]
DIGEST = before.outputs("staging")["proofs"][0]["digest"]


def short(outputs: Outputs) -> Outputs:
    """The outputs with one of the twenty proofs: the same fields, a twentieth of the paths."""
    return {**outputs, "proofs": outputs["proofs"][:1]}


STAGING, PRODUCTION = short(before.outputs("staging")), short(before.outputs("production"))


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """Everything that reads the outputs of a stack, by its name."""
    folder = tmp_path_factory.mktemp("files")
    release = before.release(before.NEWEST, folder)
    production, staging = (before.settings(name, folder) for name in ("production", "staging"))
    catalog, proof = before.catalog(), read_outputs(STAGING).proofs[0]
    return {
        "gate": lambda raw: verdict_for(production, release, raw, PRODUCTION).summary + verdict_for(production, release, STAGING, raw).note,
        "outputs": lambda raw: _everything(read_outputs(raw, "production")),
        "newest": lambda raw: read_outputs(raw).require_newest("production"),
        "choice": lambda raw: chosen(raw, Choice("staging")),
        "choice by digest": lambda raw: chosen(raw, Choice("staging", digest=DIGEST)),
        "rollback": lambda raw: require_meant(production.model_copy(update={"rollback_to": "f" * 12}), release, raw),
        "later migrations": lambda raw: migrations_after(raw, proof),
        "history": lambda raw: extended(raw.get("proofs") if isinstance(raw.get("proofs"), list) else [], proof),
        "neighbours": lambda raw: require_consistent(catalog, staging, neighbours(staging, {"production": raw})),
        "losses": lambda raw: require_nothing_lost(read_outputs(raw).declared, production),
    }


def _everything(outputs: StackOutputs) -> object:
    names = [*outputs.workers, *outputs.databases]
    return [
        (outputs.database_id(name), outputs.worker_manifest(name), outputs.migrations(name), outputs.ledger(name).head) for name in names
    ]


def answers(read: Reader, raw: object) -> str:
    """How a reader refuses, in one line; empty where it does not. Any other exception fails the test."""
    refusal = ""
    try:
        read(raw)
    except CraneError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) <= 1
    return refusal


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("outputs", [STAGING, PRODUCTION], ids=["staging", "production"])
def test_a_part_of_another_type_is_an_answer_or_one_line_everywhere(readers: Mapping[str, Reader], outputs: Outputs, wrong: str) -> None:
    for path in paths(outputs):
        if not path:
            continue
        raw = spoiled(outputs, path, WRONG[wrong])
        for read in readers.values():
            answers(read, raw)


@given(raw=st.dictionaries(st.sampled_from(["proofs", "environment", "x"]), json_values))
def test_outputs_of_any_shape_are_an_answer_or_one_line_everywhere(readers: Mapping[str, Reader], raw: Outputs) -> None:
    for read in readers.values():
        answers(read, raw)


@pytest.mark.parametrize("wrong", ["null", "true", "infinity", "text", "empty list", "list of text"])
def test_a_worker_or_a_database_that_cannot_be_read_is_an_error_and_not_one_less(readers: Mapping[str, Reader], wrong: str) -> None:
    for path in paths(PRODUCTION["environment"]):
        if path and isinstance(_at(PRODUCTION["environment"], path), dict):
            refused = answers(readers["outputs"], spoiled(PRODUCTION, ("environment", *path), WRONG[wrong]))
            assert refused
            where = ".".join(map(str, ("environment", *path)))
            assert refused.startswith(f"stack production: its outputs cannot be read ({where}: ")
            assert refused.endswith("Use the version of crane-infra that wrote them, or restore the state: pulumi stack export and import.")


def _at(value: Any, path: tuple[str | int, ...]) -> object:  # noqa: ANN401 (JSON)
    for key in path:
        value = value[key]
    return value


def test_a_gate_that_is_open_was_opened_by_a_proof_with_nothing_wrong_in_it(readers: Mapping[str, Reader]) -> None:
    """Whether the strings in it are true of staging is for the look at staging to say."""
    assert "production gate open: " in str(readers["gate"](STAGING))
    for path in paths(STAGING["proofs"][0]):
        if path[:1] in (("commit",), ("checks",), ("versions",)):
            continue  # they say nothing of what may go to production
        for wrong in ("huge", "not a number", "empty list", "list of null", "object", "deep"):
            raw = spoiled(STAGING, ("proofs", 0, *path), WRONG[wrong])
            if raw != STAGING:
                assert "production gate closed: " in str(readers["gate"](raw)), (path, wrong)


@pytest.mark.parametrize("entry", [None, {}, {"schema": 2}, "x", {**STAGING["proofs"][0], "more": 1}])
def test_a_newest_proof_that_cannot_be_read_is_not_passed_over_for_an_older_one(entry: object) -> None:
    outputs = read_outputs({**STAGING, "proofs": [entry, *STAGING["proofs"]]})
    with pytest.raises(SettingsError, match=r"^stack staging: its newest proof cannot be read \(.+\)\. Use the version of crane-infra"):
        outputs.require_newest("staging")


def test_the_release_of_these_outputs_is_still_read(tmp_path: Path) -> None:
    release: Release = before.release(before.NEWEST, tmp_path)
    assert read_outputs(STAGING).manifest == release.manifest
