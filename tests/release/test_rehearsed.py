"""Where production demands a rehearsal, only that of this release on production as it is opens the gate."""

from collections.abc import Callable

import pytest

from crane_infra.migrations.ledger import LedgerHead
from crane_infra.release.gate import Verdict
from crane_infra.release.proof import Proof
from crane_infra.release.rehearsed import rehearsal_proof, with_rehearsal, with_rehearsal_to_come

HEADS = {"a": LedgerHead("0002_x.sql", 2, "d1"), "b": LedgerHead(None, 0, "d0")}
DIGEST = "a" * 64


@pytest.fixture
def is_open(make_proof: Callable[..., Proof]) -> Verdict:
    return Verdict(make_proof(), "release a was proven", "")


@pytest.mark.parametrize(
    ("digest", "heads"),
    [
        ("b" * 64, HEADS),
        (DIGEST, {**HEADS, "a": LedgerHead("0003_y.sql", 3, "d2")}),
        (DIGEST, {"a": HEADS["a"]}),
        (DIGEST, {**HEADS, "c": LedgerHead(None, 0, "d0")}),
        (DIGEST, {"a": HEADS["b"], "b": HEADS["a"]}),
    ],
)
def test_a_rehearsal_of_something_else_leaves_the_gate_closed(is_open: Verdict, digest: str, heads: dict[str, LedgerHead]) -> None:
    verdict = with_rehearsal(is_open, rehearsal_proof(digest, heads), rehearsal_proof(DIGEST, HEADS))
    assert not verdict.is_open
    assert "the rehearsal that is set is of another release, or of production before its last migration" in verdict.summary


def test_the_rehearsal_of_this_release_on_these_ledgers_opens_it_and_says_so(is_open: Verdict) -> None:
    same = {name: HEADS[name] for name in reversed(HEADS)}
    verdict = with_rehearsal(is_open, rehearsal_proof(DIGEST, same), rehearsal_proof(DIGEST, HEADS))
    assert (verdict.is_open, verdict.note) == (True, "rehearsed on production's rows")


def test_without_one_the_refusal_has_the_command(is_open: Verdict) -> None:
    assert with_rehearsal(is_open, None, rehearsal_proof(DIGEST, HEADS)).summary == (
        "production gate closed: this release was not rehearsed on production's rows, as require-rehearsal demands. Run crane migrations "
        "rehearse -s production where the local cloud is installed, and set what it prints: pulumi config set -s production rehearsed <value>."
    )


def test_a_preview_before_it_says_that_it_is_to_come(is_open: Verdict) -> None:
    verdict = with_rehearsal_to_come(is_open)
    assert (verdict.is_open, verdict.note) == (True, "an update demands a rehearsal of it on production's rows")


def test_a_closed_gate_keeps_its_reason() -> None:
    closed = Verdict(None, "staging has not proven any release")
    assert with_rehearsal(closed, None, "x") == closed
    assert with_rehearsal_to_come(closed) == closed
