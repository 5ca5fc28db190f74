"""Asks the gate, before the first resource: a production run goes on only with a release that staging has proven."""

import time

import pulumi

from crane_infra.config.settings import Settings
from crane_infra.errors import WOULD_REFUSE, SettingsError
from crane_infra.live.heads import ledger_heads
from crane_infra.live.promotion import require_open, with_clocks
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.pulumi_cli import tags_of
from crane_infra.release.freeze import Freeze, read_freeze, with_freeze
from crane_infra.release.gate import Verdict, verdict_for
from crane_infra.release.rehearsed import rehearsal_proof, with_rehearsal, with_rehearsal_to_come

_PAUSES = (0.1, 0.3, 1.0)  # seconds


def pass_gate(prepared: Prepared) -> Verdict | None:
    """Ask the gate about the prepared release; returns the verdict, None in an environment that has no gate.

    A preview logs the verdict and goes on, so that pull requests show a diff. An update raises GateError where the gate is closed or, for
    the newest release, where staging has changed since its proof. A release that is older than the one that production runs needs rollback-to.
    A freeze closes the gate for every release, and require-rehearsal for one that was not rehearsed on production as it is.
    """
    if prepared.settings.environment != "production":
        return None
    staging = prepared.staging
    verdict = verdict_for(prepared.settings, prepared.release, staging.raw if staging.exists else None, prepared.last.raw)
    if verdict.is_open:
        verdict = with_freeze(verdict, _freeze(prepared.settings), prepared.settings.override_freeze)
    verdict = _with_rehearsal(prepared, verdict)
    said: list[str] = []
    if not pulumi.runtime.is_dry_run():
        said = blocking(require_open(prepared.settings, verdict))
    elif verdict.future:
        verdict = blocking(with_clocks(prepared.settings, verdict))
    log([*gate_lines(verdict), *map(Line, said)])
    return verdict


def require_not_frozen(settings: Settings, verdict: Verdict) -> None:
    """Look once more, when traffic is about to move, whether production is frozen. Raises GateError where it is, and no setting lets it pass.

    The engine saves the stack's state meanwhile, which a folder as a backend moves away for a moment: a failure counts only if it lasts.
    """
    for pause in _PAUSES:
        try:
            freeze = _freeze(settings)
            break
        except SettingsError:
            time.sleep(pause)
    else:
        freeze = _freeze(settings)
    frozen = with_freeze(verdict, freeze, settings.override_freeze)
    if not frozen.is_open:
        raise frozen.error()


def _with_rehearsal(prepared: Prepared, verdict: Verdict) -> Verdict:
    """A rollback has nothing to rehearse; a preview comes before the rehearsal, and says that it is to come."""
    settings = prepared.settings
    if not settings.require_rehearsal or settings.rollback_to or not verdict.is_open:
        return verdict
    if pulumi.runtime.is_dry_run() and settings.rehearsed is None:
        return with_rehearsal_to_come(verdict)
    expected = rehearsal_proof(prepared.release.digest, blocking(ledger_heads(settings, prepared.last)))
    return with_rehearsal(verdict, settings.rehearsed, expected)


def _freeze(settings: Settings) -> Freeze | None:
    return read_freeze(tags_of(settings.stack(settings.environment), settings.root))


def gate_lines(verdict: Verdict) -> list[Line]:
    """What a run logs about the gate."""
    if not verdict.is_open:
        return [Line(f"{verdict.summary} {WOULD_REFUSE}", is_warning=True)]
    return [Line(verdict.summary), *(Line(f"{text}.", is_warning=True) for text in (verdict.note, verdict.risk) if text)]
