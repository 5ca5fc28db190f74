# ruff: noqa: FBT001 (cases of tests)
"""A step of a rollout ends in promote, abort or hold: never in promote without enough right answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.live.invocations import Invocations, Unknown
from crane_infra.traffic.decision import Counts, Decision, decide, vetoes

counts = st.integers(0, 500).flatmap(lambda asked: st.builds(Counts, st.just(asked), st.integers(0, asked)))


@pytest.mark.parametrize(
    ("old", "new", "is_over", "decision"),
    [
        pytest.param(Counts(50), Counts(50), True, Decision.PROMOTE, id="both are right"),
        pytest.param(Counts(50), Counts(50), False, Decision.WATCH, id="the pause is not over"),
        pytest.param(Counts(50), Counts(50, 1), True, Decision.PROMOTE, id="2 percent"),
        pytest.param(Counts(50), Counts(50, 2), False, Decision.ABORT, id="4 percent, before the pause is over"),
        pytest.param(Counts(50, 5), Counts(50, 5), True, Decision.PROMOTE, id="no worse than the old one"),
        pytest.param(Counts(50, 5), Counts(50, 6), True, Decision.ABORT, id="two points worse than the old one"),
        pytest.param(Counts(50, 50), Counts(50, 2), True, Decision.ABORT, id="the old one does not know the checks"),
        pytest.param(Counts(10), Counts(10, 5), False, Decision.ABORT, id="half of ten"),
        pytest.param(Counts(9), Counts(9, 9), False, Decision.WATCH, id="too few to say"),
        pytest.param(Counts(49), Counts(49), True, Decision.HOLD, id="too few when the pause is over"),
        pytest.param(Counts(), Counts(), True, Decision.HOLD, id="no answer at all"),
    ],
)
def test_a_step_ends_in(old: Counts, new: Counts, is_over: bool, decision: Decision) -> None:
    assert decide(old, new, is_over=is_over, samples=50) is decision


@given(counts, counts, st.booleans())
def test_nothing_is_promoted_without_enough_answers_of_which_few_are_wrong(old: Counts, new: Counts, is_over: bool) -> None:
    if decide(old, new, is_over=is_over, samples=50) is Decision.PROMOTE:
        assert is_over
        assert new.asked >= 50
        assert new.rate <= max(old.rate + 0.01, 0.02)


@pytest.mark.parametrize(
    ("numbers", "veto"),
    [
        (Unknown("late"), False),
        ({}, False),
        ({"old": Invocations(1000, 0), "new": Invocations(9, 9)}, False),
        ({"old": Invocations(1000, 0), "new": Invocations(100, 3)}, True),
        ({"old": Invocations(1000, 50), "new": Invocations(100, 5)}, False),
        ({"old": Invocations(1000, 0)}, False),
    ],
)
def test_cloudflares_numbers_only_veto(numbers: dict[str, Invocations] | Unknown, veto: bool) -> None:
    assert vetoes(numbers, "old", "new") is veto
