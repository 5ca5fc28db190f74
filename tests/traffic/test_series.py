"""What a series of rounds against a candidate means: enough right ones pass, and wrong answers count only where the candidate gave them."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.traffic.series import ENOUGH, IN_A_ROW, Seen, Verdict, has_arrived, judge, missing

LETTERS = {"r": Seen.RIGHT, "w": Seen.WRONG, "f": Seen.FAULTY, "e": Seen.ELSEWHERE, "c": Seen.CUT}


def series(letters: str) -> list[Seen]:
    """A series, a letter for each round."""
    return [LETTERS[letter] for letter in letters]


PASS = "r" * ENOUGH


@pytest.mark.parametrize(
    ("letters", "verdict"),
    [
        pytest.param("", Verdict.OPEN, id="nothing was asked"),
        pytest.param("rrrrr", Verdict.OPEN, id="five right ones"),
        pytest.param("rrrrrr", Verdict.OPEN, id="six right ones, which only show that it has arrived"),
        pytest.param(PASS[1:], Verdict.OPEN, id="one less than enough"),
        pytest.param(PASS, Verdict.PASSED, id="enough right ones"),
        pytest.param(f"eeeere{PASS}", Verdict.PASSED, id="both versions, then enough right ones"),
        pytest.param(f"{PASS[1:]}er", Verdict.OPEN, id="enough right ones, but not in a row"),
        pytest.param("wwwwww", Verdict.FAILED, id="the candidate is wrong each time"),
        pytest.param("wwwee", Verdict.OPEN, id="wrong ones while both versions answer"),
        pytest.param("ewewewewew", Verdict.OPEN, id="wrong ones that the version before may have given"),
        pytest.param(f"w{PASS}", Verdict.OPEN, id="a wrong one takes as many again"),
        pytest.param(f"w{PASS}{PASS[1:]}", Verdict.PASSED, id="one wrong in twice as many"),
        pytest.param(f"{PASS[1:]}w{PASS[:6]}", Verdict.OPEN, id="one wrong at the end, and six right ones"),
        pytest.param(f"w{PASS}w{PASS}{PASS[2:]}", Verdict.PASSED, id="two wrong in three times as many"),
        pytest.param("rrrrwrrrrwrrrrw", Verdict.FAILED, id="it fails once in five requests"),
        pytest.param("rrfrfrf", Verdict.FAILED, id="it fails where it should name itself"),
        pytest.param("ffffffffff", Verdict.OPEN, id="nobody ever named the candidate"),
        pytest.param(f"ffff{PASS}", Verdict.PASSED, id="nothing answered at first"),
        pytest.param("rrrrrrcccc", Verdict.OPEN, id="the deadline came while four were asked"),
        pytest.param(f"{PASS}c", Verdict.PASSED, id="the deadline came after enough right ones"),
        pytest.param("eeeeeeeeee", Verdict.OPEN, id="the version before answers for long"),
    ],
)
def test_a_series_means(letters: str, verdict: Verdict) -> None:
    assert judge(series(letters)) is verdict


@given(st.text("rwfe", max_size=40), st.integers(6, 30))
def test_only_six_right_rounds_in_a_row_pass_and_never_fewer_than_enough(letters: str, enough: int) -> None:
    if judge(series(letters), enough) is Verdict.PASSED:
        assert letters.endswith("r" * IN_A_ROW)
        assert len(letters) >= enough


@given(st.text("rwfec", max_size=60), st.integers(6, 30))
def test_a_question_that_the_deadline_cut_short_means_nothing(letters: str, enough: int) -> None:
    rounds, told = series(letters), series(letters.replace("c", ""))
    assert judge(rounds, enough) is judge(told, enough)
    assert (has_arrived(rounds), missing(rounds, enough)) == (has_arrived(told), missing(told, enough))


@given(st.text("rwfec", max_size=60), st.integers(6, 30))
def test_the_missing_rounds_pass_if_all_of_them_are_right(letters: str, enough: int) -> None:
    rounds = series(letters)
    if has_arrived(rounds) and judge(rounds, enough) is Verdict.OPEN:
        needed = [Seen.RIGHT] * missing(rounds, enough)
        assert judge([*rounds, *needed[1:]], enough) is Verdict.OPEN
        assert judge([*rounds, *needed], enough) is Verdict.PASSED


def chance_to_pass(failing: float) -> float:
    """The probability, computed and not tried, that a candidate passes which answers a round wrongly with this one.

    A series is known by its right rounds before the last wrong one, its wrong ones, and the right ones since.
    """
    passed, still_open = 0.0, {(0, 0, 0): 1.0}
    while still_open:
        after: dict[tuple[int, int, int], float] = defaultdict(float)
        for (before, wrong, since), probability in still_open.items():
            after[before, wrong, since + 1] += probability * (1 - failing)
            after[before + since, wrong + 1, 0] += probability * failing
        still_open = {}
        for (before, wrong, since), probability in after.items():
            verdict = judge([Seen.RIGHT] * before + [Seen.WRONG] * wrong + [Seen.RIGHT] * since)
            passed += probability if verdict is Verdict.PASSED else 0
            still_open |= {(before, wrong, since): probability} if verdict is Verdict.OPEN else {}
    return passed


def test_a_worker_that_fails_one_request_in_five_passes_by_luck_in_fewer_than_one_of_a_hundred_trials() -> None:
    assert chance_to_pass(1 / 5) < 0.01


def test_a_worker_that_hardly_ever_fails_is_not_stopped_by_bad_luck() -> None:
    assert chance_to_pass(1 / 500) > 0.999


@given(st.text("rwfe", max_size=40))
def test_no_answer_of_another_version_fails_a_candidate(letters: str) -> None:
    assert judge(series(f"{letters}e")) is Verdict.OPEN
