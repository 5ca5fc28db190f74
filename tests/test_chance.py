"""The bounds for what depends on chance are tight: one hit less would be a matter of luck."""

from math import comb

import pytest

from tests.chance import ODDS, most_by_luck


def beyond(draws: int, share: float, hits: int) -> float:
    """The probability of more hits than these."""
    return sum(comb(draws, number) * share**number * (1 - share) ** (draws - number) for number in range(hits + 1, draws + 1))


@pytest.mark.parametrize(("draws", "share"), [(1, 0.1), (20, 0.1), (152, 0.1), (152, 0.5), (500, 0.5)])
def test_more_hits_than_the_bound_happen_less_than_once_in_a_million(draws: int, share: float) -> None:
    most = most_by_luck(draws, share)
    assert beyond(draws, share, most) < ODDS
    assert most == 0 or beyond(draws, share, most - 1) >= ODDS
