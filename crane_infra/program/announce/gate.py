"""Asks the gate, before the first resource: a production run goes on only with a release that staging has proven."""

import pulumi

from crane_infra.errors import WOULD_REFUSE
from crane_infra.live.promotion import require_open
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.gate import Verdict, verdict_for


def pass_gate(prepared: Prepared) -> Verdict | None:
    """Ask the gate about the prepared release; returns the verdict, None in an environment that has no gate.

    A preview logs the verdict and goes on, so that pull requests show a diff. An update raises GateError where the gate is closed or, for
    the newest release, where staging has changed since its proof.
    """
    if prepared.settings.environment != "production":
        return None
    staging = prepared.staging
    verdict = verdict_for(prepared.settings, prepared.release, staging.raw if staging.exists else None)
    twins = [] if pulumi.runtime.is_dry_run() else blocking(require_open(prepared.settings, verdict))
    log([gate_line(verdict), *map(Line, twins)])
    return verdict


def gate_line(verdict: Verdict) -> Line:
    """What a run logs about the gate."""
    return Line(verdict.summary) if verdict.is_open else Line(f"{verdict.summary} {WOULD_REFUSE}", is_warning=True)
