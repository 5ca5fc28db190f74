"""Whose clock is off, where the gate finds a proof that is dated in the future: Cloudflare's clock decides. Pure."""

from datetime import datetime, timedelta

from crane_infra.release.gate import Verdict
from crane_infra.release.proof import CLOCK_SKEW

RENEW = "run pulumi up -s staging, which renews the proof"


def with_culprit(verdict: Verdict, here: datetime, cloudflare: datetime) -> Verdict:
    """The verdict on a proof that is dated in the future, with the clock that is off: that of the machine that proved, the one here, or both.

    ``here`` and ``cloudflare`` are what the two clocks say at the same moment. Any other verdict stays as it is.
    """
    if verdict.future is None:
        return verdict
    ahead, behind = verdict.future.proven_at - cloudflare, cloudflare - here
    proof = f"{verdict.future.name} is dated in the future, {verdict.future.proven_at:%Y-%m-%d %H:%M} UTC"
    theirs = f"the clock of the machine that proved it was at least {_in_words(ahead)} ahead of Cloudflare's"
    own = f"the clock here is {_in_words(behind)} behind Cloudflare's"
    if min(ahead, behind) > CLOCK_SKEW:
        return Verdict(None, f"{proof}: {theirs}, and {own}", f"Correct both clocks, then {RENEW}")
    if behind > ahead:
        return Verdict(None, f"{proof}: {own}", "Correct the clock of this machine, then run the same command again")
    return Verdict(None, f"{proof}: {theirs}", f"Correct that clock, then {RENEW}")


def _in_words(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    hours = minutes // 60
    if hours >= 48:  # noqa: PLR2004
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
