"""Whose clock is off, where a proof is dated in the future."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from crane_infra.release.clocks import with_culprit
from crane_infra.release.gate import Verdict, judge
from crane_infra.release.proof import Proof
from tests.release.test_gate import REQUIRED, outputs
from tests.samples import NOW

MakeProof = Callable[..., Proof]
DATED = "production gate closed: the proof of release aaaaaaaaaaaa is dated in the future, 2026-11-24 14:00 UTC: "
RENEW = "then run pulumi up -s staging, which renews the proof."
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def closed(make_proof: MakeProof) -> Verdict:
    """The verdict on a proof that is two hours ahead of the clock here."""
    return judge(outputs(make_proof(proven_at=NOW + 2 * HOUR)), REQUIRED, NOW)


@pytest.mark.parametrize(
    ("cloudflare", "text"),
    [
        (NOW, f"the clock of the machine that proved it was at least 2 h 0 min ahead of Cloudflare's. Correct that clock, {RENEW}"),
        (
            NOW + 4 * MINUTE,
            f"the clock of the machine that proved it was at least 1 h 56 min ahead of Cloudflare's. Correct that clock, {RENEW}",
        ),
        (
            NOW + 2 * HOUR + MINUTE,
            "the clock here is 2 h 1 min behind Cloudflare's. Correct the clock of this machine, then run the same command again.",
        ),
        (
            NOW + 72 * HOUR,
            "the clock here is 3 days behind Cloudflare's. Correct the clock of this machine, then run the same command again.",
        ),
        (
            NOW + HOUR / 2,
            (
                "the clock of the machine that proved it was at least 1 h 30 min ahead of Cloudflare's, and the clock here is 30 min behind "
                f"Cloudflare's. Correct both clocks, {RENEW}"
            ),
        ),
    ],
)
def test_the_clock_that_differs_from_cloudflare_s_is_named_with_the_way_on(make_proof: MakeProof, cloudflare: datetime, text: str) -> None:
    named = with_culprit(closed(make_proof), NOW, cloudflare)
    assert not named.is_open
    assert str(named.error()) == f"{DATED}{text}"


def test_of_two_clocks_that_are_each_a_little_off_the_worse_one_is_named(make_proof: MakeProof) -> None:
    verdict = judge(outputs(make_proof(proven_at=NOW + 7 * MINUTE)), REQUIRED, NOW)
    assert "the clock here is 4 min behind" in with_culprit(verdict, NOW, NOW + 4 * MINUTE).reason
    assert "was at least 4 min ahead" in with_culprit(verdict, NOW, NOW + 3 * MINUTE).reason


def test_every_other_verdict_stays_as_it_is(make_proof: MakeProof) -> None:
    for verdict in (judge(outputs(make_proof()), REQUIRED, NOW), judge({}, REQUIRED, NOW)):
        assert with_culprit(verdict, NOW, NOW + 72 * HOUR) == verdict
