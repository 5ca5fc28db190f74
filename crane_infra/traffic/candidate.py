"""Tries new versions before they get traffic: each joins the deployment that serves at 0 %, and its checks run on the live address.

All workers of a release are tried side by side, and no traffic moves before all have passed. Where one fails, every candidate is taken out again. A
run that is killed leaves its candidate at 0 %, where nobody meets it, and the next run takes it up: the deployment says what it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from crane_infra.checks.model import Check
from crane_infra.checks.request import Target
from crane_infra.d1.errors import RefusedError
from crane_infra.errors import ApiError, CraneError, LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.mark import mark
from crane_infra.traffic.deploy import deploy
from crane_infra.traffic.place import WHOLE, First, Joins, Serves, Shared, Waits, place_of
from crane_infra.traffic.series import IN_A_ROW
from crane_infra.traffic.trial import can_be_named, run_trial

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
    checks: tuple[Check, ...]
    stack: str
    consent: str
    """The value of ``without-candidate`` that lets exactly this version get traffic untried."""
    is_consented: bool = False
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


@dataclass(frozen=True)
class _Joined:
    candidate: Candidate
    old: str
    deployment: str


class Progress(Protocol):
    """Who is told how the trials go on, where that is somebody else than the log."""

    def passes(self, text: str) -> None:
        """Something went as planned."""

    def begins(self, what: str, seconds: float | None = None) -> None:
        """The trial waits for this from now on, for so many seconds at most."""


class _Voice(NamedTuple):
    """``log`` takes what a person should know; ``begins`` and ``passes`` what goes as planned."""

    log: Callable[[str], None]
    begins: Callable[[str], None]
    passes: Callable[[str], None]


async def try_candidates(
    account: Account, candidates: Sequence[Candidate], digest: str, log: Callable[[str], None], progress: Progress | None = None
) -> dict[str, Outcome]:
    """Try all candidates of the release with this digest, and take all out again where one fails.

    Without ``progress`` the log has what goes as planned. Returns the outcome of each by worker. Every failure is in an outcome: no error of
    one keeps another from being taken out.
    """
    voice = _Voice(log, progress.begins, progress.passes) if progress else _Voice(log, log, log)
    joined = await _each(_join(account, candidate, digest, voice) for candidate in candidates)
    trials: list[_Joined | Outcome | CraneError] = list(joined)
    if not any(_error_in(each) for each in joined):
        trials = list(await _each(_try(each, voice) for each in joined))
    failed = [candidate for candidate, each in zip(candidates, trials, strict=True) if _error_in(each)]
    outcomes = {}
    for candidate, entered, trial in zip(candidates, joined, trials, strict=True):
        left = await _take_out(account, entered, digest) if failed and isinstance(entered, _Joined) else ""
        outcomes[candidate.worker] = _outcome(candidate, entered, trial, failed, left)
    return outcomes


async def require_unchanged(account: Account, script: str, deployment: str | None) -> None:
    """Check that the deployment that a run works with is active still. Raises LiveError where it is not; ApiError where the API fails."""
    active = await _active(account, script)
    if deployment is not None and (active is None or active.id != deployment):
        raise _changed(script, active)


async def _join(account: Account, candidate: Candidate, digest: str, voice: _Voice) -> _Joined | Outcome:
    active = await _active(account, candidate.script)
    if candidate.seen is not None and (active is None or active.id != candidate.seen):
        raise _changed(candidate.script, active)
    shown, place = f"worker {candidate.script}", place_of(active, candidate.version)
    if active is None or isinstance(place, First):
        voice.log(f"{shown}: no version serves yet, so its first one cannot be tried before it does. Its checks run afterwards")
        return Outcome()
    if isinstance(place, Serves):
        return Outcome(active.id)
    if not candidate.checks:
        voice.log(f"{shown}: has no check that only reads, so {candidate.version} gets traffic untried")
        return Outcome(active.id)
    if not can_be_named(candidate.script):
        return _untried(candidate, active, "the header that reaches it cannot name a worker whose name begins with a digit", voice.log)
    if isinstance(place, Shared):
        if candidate.stack == "production":
            raise _is_shared(candidate, active)
        voice.log(f"{shown}: {active.summary} share its traffic; {place.largest} gets all of it while {candidate.version} is tried")
        place = Joins(place.largest)
    return await _enter(account, candidate, active, place, digest, voice)


async def _enter(
    account: Account, candidate: Candidate, active: Deployment, place: Joins | Waits, digest: str, voice: _Voice
) -> _Joined | Outcome:
    """Let the version join, unless it waits there already.

    It is the version that this stack has just declared, secrets included, so a secret that differs from the old version's (10220) is meant.
    """
    deployment, shares = active, {place.old: WHOLE, candidate.version: 0.0}
    if isinstance(place, Joins):
        try:
            deployment = await deploy(account, candidate.script, shares, mark("candidate", digest), force=True)
        except RefusedError as error:
            if reasons := [NO_CANDIDATE[code] for code in error.codes if code in NO_CANDIDATE]:
                return _untried(candidate, active, reasons[0], voice.log)
            raise
    did = "joined" if isinstance(place, Joins) else "waits since an earlier run"
    tried = f"{candidate.version} {did} at 0% and is tried on {candidate.target.url}"
    tell = voice.begins if isinstance(place, Joins) else voice.log
    tell(f"worker {candidate.script}: {tried}; {place.old} serves everybody")
    if candidate.target.version_id is None:
        voice.log(
            f"worker {candidate.script}: its answers do not name the version, so nobody can tell whether {candidate.version} gave them"
        )
    return _Joined(candidate, place.old, deployment.id)


async def _try(entered: _Joined | Outcome | CraneError, voice: _Voice) -> _Joined | Outcome:
    if not isinstance(entered, _Joined):
        return entered if isinstance(entered, Outcome) else Outcome(error=entered)
    candidate = entered.candidate
    if error := await run_trial(candidate.target, candidate.version, candidate.checks, voice.log):
        raise error
    voice.passes(
        f"worker {candidate.script}: candidate {candidate.version} passed its {len(candidate.checks)} checks {IN_A_ROW} times in a row"
    )
    return entered


async def _take_out(account: Account, entered: _Joined, digest: str) -> str:
    """Leave the old version alone in the deployment; returns what serves now, for the error."""
    script, candidate = entered.candidate.script, entered.candidate.version
    try:
        active = await _active(account, script)
        if active is None or active.id != entered.deployment:
            serving = active.summary if active else "nothing"
            return f"Somebody else deployed meanwhile, which was left as it is: {script} serves {serving}"
        await deploy(account, script, {entered.old: WHOLE}, mark("abort", digest), force=True)
    except ApiError as error:
        return f"{entered.old} still serves everybody. {candidate} could not be taken out and waits at 0% ({error.what.rstrip('.')})"
    return f"{entered.old} still serves everybody, alone"


def _outcome(
    candidate: Candidate, entered: _Joined | Outcome | CraneError, trial: _Joined | Outcome | CraneError, failed: list[Candidate], left: str
) -> Outcome:
    kept = "What this release migrated stays: by the rules the old version works with it"
    if error := _error_in(trial):
        todo = f"{error.todo.rstrip('.')}, then {AGAIN}" if left else error.todo
        return Outcome(error=_with(error, ". ".join(filter(None, [left, kept if left else "", todo]))))
    if failed:
        what = f"{candidate.version} gets no traffic, because the candidate of {' and '.join(other.script for other in failed)} failed"
        return Outcome(error=LiveError(f"worker {candidate.script}", what, f"{left + '. ' if left else ''}Fix that one, then {AGAIN}"))
    return Outcome(entered.deployment) if isinstance(entered, _Joined) else entered if isinstance(entered, Outcome) else Outcome()


def _untried(candidate: Candidate, active: Deployment, reason: str, log: Callable[[str], None]) -> Outcome:
    """What becomes of a version that cannot be tried: production wants a word for it."""
    what = f"{candidate.version} cannot be tried before it gets traffic: {reason}"
    if candidate.stack != "production" or candidate.is_consented:
        log(f"worker {candidate.script}: {what}. It gets traffic untried")
        return Outcome(active.id)
    consent = f"pulumi config set -s {candidate.stack} --path workers.{candidate.worker}.without-candidate {candidate.consent}"
    raise LiveError(f"worker {candidate.script}", what, f"To let it serve untried: {consent}, then {AGAIN}")


def _is_shared(candidate: Candidate, active: Deployment) -> LiveError:
    what = f"two versions share its traffic ({active.summary}), so {candidate.version} cannot join as a candidate"
    todo = f"Give one of them all traffic: wrangler versions deploy VERSION@100% --name {candidate.script}, then {AGAIN}"
    return LiveError(f"worker {candidate.script}", what, todo)


def _changed(script: str, active: Deployment | None) -> LiveError:
    now = f"it serves {active.summary}{f', by {active.by}' if active.by else ''}" if active else "it serves nothing"
    return LiveError(f"worker {script}", f"somebody else deployed it during this run: now {now}", f"Find out who did, then {AGAIN}")


def _with(error: CraneError, todo: str) -> CraneError:
    return LiveError(error.where, error.what, todo) if isinstance(error, ApiError) else type(error)(error.where, error.what, todo)


def _error_in(result: _Joined | Outcome | CraneError) -> CraneError | None:
    return result if isinstance(result, CraneError) else result.error if isinstance(result, Outcome) else None


async def _active(account: Account, script: str) -> Deployment | None:
    return next(iter(await account.deployments(script)), None)


async def _each(work: Iterable[Awaitable[_Joined | Outcome]]) -> list[_Joined | Outcome | CraneError]:
    """The results side by side; an error that a user can fix is a result like any other."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, CraneError):
            raise result
    return [result for result in results if not isinstance(result, BaseException) or isinstance(result, CraneError)]
