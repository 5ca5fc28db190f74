"""What a series of rounds against a candidate means: six right ones in a row pass, and wrong answers count only where the candidate gave them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.traffic.series import IN_A_ROW, Seen, Verdict, judge

LETTERS = {"r": Seen.RIGHT, "w": Seen.WRONG, "f": Seen.FAULTY, "e": Seen.ELSEWHERE}


def series(letters: str) -> list[Seen]:
    """A series, a letter for each round."""
    return [LETTERS[letter] for letter in letters]


@pytest.mark.parametrize(
    ("letters", "verdict"),
    [
        pytest.param("", Verdict.OPEN, id="nothing was asked"),
        pytest.param("rrrrr", Verdict.OPEN, id="five right ones"),
        pytest.param("rrrrrr", Verdict.PASSED, id="six right ones"),
        pytest.param("eeererrrrrr", Verdict.PASSED, id="both versions, then six right ones"),
        pytest.param("rrrerrr", Verdict.OPEN, id="six right ones, but not in a row"),
        pytest.param("wwwwww", Verdict.FAILED, id="the candidate is wrong each time"),
        pytest.param("wwwee", Verdict.OPEN, id="wrong ones while both versions answer"),
        pytest.param("ewewewewew", Verdict.OPEN, id="wrong ones that the version before may have given"),
        pytest.param("wrrrrrr", Verdict.OPEN, id="a wrong one takes more than six right ones"),
        pytest.param("wrrrrrrrrr", Verdict.PASSED, id="one wrong in ten"),
        pytest.param("rrrrwrrrrwrrrrw", Verdict.FAILED, id="it fails once in five requests"),
        pytest.param("rrfrfrf", Verdict.FAILED, id="it fails where it should name itself"),
        pytest.param("ffffffffff", Verdict.OPEN, id="nobody ever named the candidate"),
        pytest.param("ffffrrrrrr", Verdict.PASSED, id="nothing answered at first"),
        pytest.param("eeeeeeeeee", Verdict.OPEN, id="the version before answers for long"),
    ],
)
def test_a_series_means(letters: str, verdict: Verdict) -> None:
    assert judge(series(letters)) is verdict


@given(st.text("rwfe", max_size=40))
def test_only_six_right_rounds_in_a_row_pass(letters: str) -> None:
    if judge(series(letters)) is Verdict.PASSED:
        assert letters.endswith("r" * IN_A_ROW)


@given(st.text("rwfe", max_size=40))
def test_no_answer_of_another_version_fails_a_candidate(letters: str) -> None:
    assert judge(series(f"{letters}e")) is Verdict.OPEN
