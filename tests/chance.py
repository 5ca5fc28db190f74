"""Bounds for what depends on chance: a test that asserts them fails by bad luck less than once in a million runs."""

from math import comb

ODDS = 1e-6


def most_by_luck(draws: int, share: float, odds: float = ODDS) -> int:
    """How many of so many independent draws may hit a share: more of them happen with a probability below ``odds``."""
    beyond, hits = 0.0, draws
    while hits >= 0:
        beyond += comb(draws, hits) * share**hits * (1 - share) ** (draws - hits)
        if beyond >= odds:
            break
        hits -= 1
    return hits
