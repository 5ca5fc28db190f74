"""A freeze closes the gate for every release, in one line with who, when and why; only a setting that names this freeze lets a run pass."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.release.freeze import TAG, Freeze, read_freeze, with_freeze
from crane_infra.release.gate import Verdict
from crane_infra.release.proof import Proof

FREEZE = Freeze("ann", "2026-11-28T21:40:00Z", "the sale is on")
SUMMARY = "production is frozen by ann since 2026-11-28T21:40:00Z: the sale is on"


@pytest.fixture
def is_open(make_proof: Callable[..., Proof]) -> Verdict:
    return Verdict(make_proof(), "release a was proven", "")


def test_it_closes_the_gate_and_names_the_ways_on(is_open: Verdict) -> None:
    assert str(with_freeze(is_open, FREEZE, None).error()) == (
        f"production gate closed: {SUMMARY}. Wait, or lift it with crane unfreeze -s production. To pass it once: "
        "pulumi config set -s production override-freeze 2026-11-28T21:40:00Z."
    )


def test_a_setting_that_names_it_lets_a_run_pass_and_says_so(is_open: Verdict) -> None:
    verdict = with_freeze(is_open, FREEZE, FREEZE.since)
    assert verdict.is_open
    assert verdict.note == f"{SUMMARY}. override-freeze lets this run pass"


def test_the_setting_of_another_freeze_does_not(is_open: Verdict) -> None:
    assert not with_freeze(is_open, FREEZE, "2026-11-27T08:00:00Z").is_open


def test_a_closed_gate_keeps_its_reason(is_open: Verdict) -> None:
    closed = Verdict(None, "staging has not proven any release")
    assert with_freeze(closed, FREEZE, FREEZE.since) == closed
    assert with_freeze(is_open, None, None) == is_open


@pytest.mark.parametrize("tag", ["", "x", "{}", '{"since": 1}', '{"since":"s","more":1}'])
def test_a_tag_that_cannot_be_read_is_a_freeze_all_the_same(is_open: Verdict, tag: str) -> None:
    assert not with_freeze(is_open, read_freeze({TAG: tag}), None).is_open


def test_no_tag_is_no_freeze() -> None:
    assert read_freeze({"pulumi:project": "crane-infra"}) is None


@given(st.text(), st.text())
def test_every_freeze_fits_in_a_tag_and_is_read_back(by: str, reason: str) -> None:
    made = Freeze(by, "2026-11-28T21:40:00Z", reason)
    assert len(made.tag.encode()) <= 256
    read = read_freeze({TAG: made.tag})
    assert read is not None
    assert read.since == made.since
