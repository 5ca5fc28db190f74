"""What a candidate is, how its trial may end, and what is refused without one. Decides and words; asks nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

from crane_infra.checks.model import AnyCheck
from crane_infra.checks.request import Target
from crane_infra.config.rollout import Rollout
from crane_infra.errors import ApiError, CraneError, LiveError
from crane_infra.live.account import Deployment
from crane_infra.traffic.place import is_rollout
from crane_infra.traffic.series import ENOUGH

AGAIN = "run the same command again"
NO_CANDIDATE = {
    "10211": "it brings a Durable Object migration, which goes to all traffic at once",
    "100405": "it exports other classes than the version that serves",
}
"""Cloudflare's codes for a version that cannot share a deployment, and what they mean."""


@dataclass(frozen=True)
class Candidate:
    """A new version of a worker, to be tried by ``checks``; ``target`` has its script, address and secrets."""

    worker: str
    version: str
    target: Target
    checks: tuple[AnyCheck, ...]
    stack: str
    consent: str
    """The value of ``without-candidate`` that lets exactly this version get traffic untried."""
    is_consented: bool = False
    rollout: Rollout = field(default_factory=Rollout)
    """The steps in which its traffic moves."""
    rounds: int = ENOUGH
    """How many rounds its trial takes, if all are right."""
    brings_classes: bool = False
    """Whether it brings a Durable Object migration: then it gets all traffic at once, and cannot be tried."""
    seen: str | None = None
    """The id of the deployment that the run saw at its start; None where it did not look."""

    @property
    def script(self) -> str:
        """The worker's name at Cloudflare."""
        return self.target.worker


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: the deployment that has to be active still when traffic moves, or why it must not move."""

    deployment: str | None = None
    error: CraneError | None = None


def untried(candidate: Candidate, active: Deployment, reason: str, log: Callable[[str], None]) -> Outcome:
    """What becomes of a version that cannot be tried: production wants a word for it, and raises LiveError without one."""
    what = f"{candidate.version} cannot be tried before it gets traffic: {reason}"
    if candidate.stack != "production" or candidate.is_consented:
        log(f"worker {candidate.script}: {what}. It gets traffic untried")
        return Outcome(active.id)
    consent = f"pulumi config set -s {candidate.stack} --path workers.{candidate.worker}.without-candidate {candidate.consent}"
    raise LiveError(f"worker {candidate.script}", what, f"To let it serve untried: {consent}, then {AGAIN}")


def shared(candidate: Candidate, active: Deployment) -> LiveError:
    """The refusal where two versions share the traffic."""
    what = f"two versions share its traffic ({active.summary}), so {candidate.version} cannot join as a candidate"
    todo = f"Give one of them all traffic: wrangler versions deploy VERSION@100% --name {candidate.script}, then {AGAIN}"
    if is_rollout(active):
        todo = f"End the rollout of the other release: crane rollout abort -s {candidate.stack}, then {AGAIN}"
    return LiveError(f"worker {candidate.script}", what, todo)


def changed(script: str, active: Deployment | None) -> LiveError:
    """The refusal where another deployment is active than the one that the run works with."""
    now = f"it serves {active.summary}{f', by {active.by}' if active.by else ''}" if active else "it serves nothing"
    return LiveError(f"worker {script}", f"somebody else deployed it during this run: now {now}", f"Find out who did, then {AGAIN}")


def with_todo(error: CraneError, todo: str) -> CraneError:
    """The same error with another thing to do; a call that failed becomes what it means for the worker."""
    return LiveError(error.where, error.what, todo) if isinstance(error, ApiError) else type(error)(error.where, error.what, todo)
