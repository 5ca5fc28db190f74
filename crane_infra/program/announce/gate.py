"""Asks the gate."""

import pulumi

from crane_infra.errors import WOULD_REFUSE
from crane_infra.live.promotion import require_open
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.gate import Verdict, verdict_for


def pass_gate(prepared: Prepared) -> Verdict | None:
    """Let a production run go on only with a release that staging has proven; returns the verdict, None where there is no gate.

    In preview the verdict is said and the diff goes on. In an update a closed gate raises GateError; so does, for the newest
    release, a staging that no longer is what its proof says.
    """
    if prepared.settings.environment != "production":
        return None
    verdict = verdict_on(prepared)
    if pulumi.runtime.is_dry_run():
        _say(verdict)
        return verdict
    blocking(require_open(prepared.settings, verdict))
    pulumi.log.info(f"production gate open: {verdict.reason}")
    return verdict


def verdict_on(prepared: Prepared) -> Verdict:
    """What the gate says of the prepared release."""
    return verdict_for(prepared.settings, prepared.release, prepared.staging)


def _say(verdict: Verdict) -> None:
    if verdict.is_open:
        pulumi.log.info(f"production gate open: {verdict.reason}")
    else:
        pulumi.log.warn(f"{verdict.error()} {WOULD_REFUSE}")
