"""Runs the checks of a release on a live worker, as far as a command can: those that neither write nor need a secret."""

from collections.abc import Sequence
from dataclasses import dataclass

from crane_infra.checks.model import AnyCheck, CommandCheck
from crane_infra.checks.run import Target, run_checks, select
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.counted import counted
from crane_infra.errors import CraneError
from crane_infra.live.expected import Served
from crane_infra.release.manifest import checks_digest
from crane_infra.release.proof import Proof


@dataclass(frozen=True)
class Health:
    """What passed and what did not run, each a sentence; and what failed, if anything did."""

    seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fault: CraneError | None = None


async def look_at_health(settings: Settings, catalog: Catalog, proof: Proof, served: Served, within: float | None = None) -> Health:
    """Run the checks that a worker has in the release of ``proof``; ``within`` gives each a shorter deadline, in seconds."""
    expected, as_expected = served.expected, served.fault is None
    worker = catalog.workers[expected.worker]
    if proof.manifest.get("checks", {}).get(expected.worker) != checks_digest(worker):
        commit = f" (commit {proof.commit})" if proof.commit else ""
        return Health(notes=(f"the checks of {expected.script} did not run: these files have other checks than its release{commit}",))
    due = [_within(check, settings, within) for check in select(worker.checks, "production") if as_expected or not check.names_version]
    without_secrets = [check for check in due if not check.secrets and not isinstance(check, CommandCheck)]
    notes = _notes(due, expected.script)
    version = served.version if as_expected and worker.reports_version else None
    target = Target(expected.script, settings.url(expected.worker), version, {})
    try:
        passed = await run_checks(target, without_secrets)
    except CraneError as error:
        return Health(notes=notes, fault=error)
    return Health((f"worker {target.worker} passes {counted(len(passed), 'check')} on {target.url}",), notes)


def _notes(due: Sequence[AnyCheck], script: str) -> tuple[str, ...]:
    """What did not run: somebody who looks starts no command of the catalog, and has no secrets."""
    commands = sum(isinstance(check, CommandCheck) for check in due)
    keyed = sum(bool(check.secrets) and not isinstance(check, CommandCheck) for check in due)
    left_out = f"{keyed} checks of {script} need" if keyed > 1 else f"1 check of {script} needs"
    started = f"{commands} checks of {script} are commands" if commands > 1 else f"1 check of {script} is a command"
    return (*((f"{left_out} a secret and did not run",) if keyed else ()), *((f"{started} and did not run",) if commands else ()))


def _within(check: AnyCheck, settings: Settings, seconds: float | None) -> AnyCheck:
    """The check with the deadline of its stack, shortened where a version has served for a while and need not be waited for."""
    deadline = float(settings.check_deadline_seconds or check.deadline)
    return check.model_copy(update={"deadline": min(deadline, seconds) if seconds else deadline})
