"""Tries new versions before they get traffic: each joins the deployment that serves at 0 %, and its checks run on the live address.

All workers of a release are tried side by side, and no traffic moves before all have passed. Where one fails, every candidate is taken out again. A
run that is killed leaves its candidate at 0 %, where nobody meets it, and the next run takes it up: the deployment says what it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from crane_infra.counted import counted
from crane_infra.d1.errors import RefusedError
from crane_infra.errors import ApiError, CraneError, LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.mark import mark
from crane_infra.traffic.deploy import deploy
from crane_infra.traffic.leave import Leave, always, refused_by
from crane_infra.traffic.outcome import AGAIN, NO_CANDIDATE, Candidate, Outcome, changed, shared, untried, with_todo
from crane_infra.traffic.place import WHOLE, First, Joins, Place, Rolls, Serves, Shared, Waits, is_rollout, place_of
from crane_infra.traffic.rollout import HeldError, Moving, roll_out
from crane_infra.traffic.trial import can_be_named, run_trial


@dataclass
class _Joined:
    candidate: Candidate
    old: str
    deployment: str
    share: float = 0.0

    def moving(self) -> Moving:
        candidate = self.candidate
        return Moving(candidate.target, candidate.checks, candidate.version, self.old, candidate.rollout, self.deployment, self.share)


_Entry = _Joined | Outcome | CraneError


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


async def try_candidates(  # noqa: PLR0913 - some are keywords
    account: Account,
    candidates: Sequence[Candidate],
    digest: str,
    log: Callable[[str], None],
    progress: Progress | None = None,
    *,
    may_move: Leave = always,
    listed: Mapping[str, Sequence[Deployment]] | None = None,
) -> dict[str, Outcome]:
    """Try all candidates of the release with this digest, take them through the steps of their rollout, and take all out where one fails.

    ``may_move`` is asked once all have passed, and before each further step. ``listed`` are deployments by script, the active one first, that the
    caller has just read; those of other scripts are read here. Without ``progress`` the log has what goes as planned. Returns the
    outcome of each by worker. Every failure is in an outcome: no error of one keeps another from being taken out.
    """
    voice = _Voice(log, progress.begins, progress.passes) if progress else _Voice(log, log, log)
    known = listed or {}
    joined = await _each(_join(account, candidate, digest, voice, known.get(candidate.script)) for candidate in candidates)
    trials = joined if any(map(_error_in, joined)) else await _each(_try(each, voice) for each in joined)
    if not any(map(_error_in, trials)):
        refusal = await refused_by(may_move)
        trials = [refusal] * len(trials) if refusal else await _move(account, trials, digest, log, may_move)
    failed = [candidate for candidate, each in zip(candidates, trials, strict=True) if _error_in(each)]
    holds = bool(failed) and all(isinstance(error, HeldError) for error in map(_error_in, trials) if error)
    outcomes = {}
    for candidate, entered, trial in zip(candidates, joined, trials, strict=True):
        left = await _take_out(account, entered, digest) if failed and not holds and isinstance(entered, _Joined) else ""
        outcomes[candidate.worker] = _outcome(candidate, entered, trial, failed, left)
    return outcomes


async def _move(account: Account, trials: list[_Entry], digest: str, log: Callable[[str], None], may_move: Leave) -> list[_Entry]:
    """Take those that passed through the steps of their rollout."""
    moving = {each.candidate.script: each.moving() for each in trials if isinstance(each, _Joined)}
    stepping = [worker for worker in moving.values() if worker.rollout.steps or worker.share]
    stack = next((each.candidate.stack for each in trials if isinstance(each, _Joined)), "")
    errors = await roll_out(account, stepping, digest, stack, log, may_move=may_move) if stepping else {}
    for each in trials:
        if isinstance(each, _Joined):
            each.deployment, each.share = moving[each.candidate.script].deployment, moving[each.candidate.script].share
    return [errors.get(each.candidate.script, each) if isinstance(each, _Joined) else each for each in trials]


async def require_unchanged(account: Account, script: str, deployment: str | None) -> None:
    """Check that the deployment that a run works with is active still. Raises LiveError where it is not; ApiError where the API fails."""
    active = await _active(account, script)
    if deployment is not None and (active is None or active.id != deployment):
        raise changed(script, active)


async def _join(
    account: Account, candidate: Candidate, digest: str, voice: _Voice, known: Sequence[Deployment] | None
) -> _Joined | Outcome:
    listed = await account.deployments(candidate.script) if known is None else known
    active = next(iter(listed), None)
    if candidate.seen is not None and (active is None or active.id != candidate.seen):
        raise changed(candidate.script, active)
    shown, place = f"worker {candidate.script}", place_of(active, candidate.version)
    if active is None or isinstance(place, First):
        voice.log(f"{shown}: no version serves yet, so its first one cannot be tried before it does. Its checks run afterwards")
        return Outcome()
    if isinstance(place, Serves):
        return Outcome(active.id)
    if reason := _untriable(candidate, active, place):
        voice.log(f"{shown}: {reason}, so {candidate.version} gets traffic untried")
        return Outcome(active.id)
    if not can_be_named(candidate.script):
        return untried(candidate, active, "the header that reaches it cannot name a worker whose name begins with a digit", voice.log)
    if isinstance(place, Rolls):
        voice.log(f"{shown}: {candidate.version} has {place.share:g}% since an earlier run; {place.old} serves the rest")
        return _Joined(candidate, place.old, active.id, place.share)
    if isinstance(place, Shared):
        _require_sole(candidate, active)
        voice.log(f"{shown}: {active.summary} share its traffic; {place.largest} gets all of it while {candidate.version} is tried")
        place = Joins(place.largest)
    return await _enter(account, candidate, listed, place, digest, voice)


def _untriable(candidate: Candidate, active: Deployment, place: Place) -> str:
    """Why nobody tries the version, although it may get traffic; empty where it has to be tried."""
    if candidate.brings_classes:
        if isinstance(place, Shared):
            _require_sole(candidate, active)
        return "its Durable Object migration goes to all traffic at once"
    return "" if candidate.checks else "has no check that only reads"


def _require_sole(candidate: Candidate, active: Deployment) -> None:
    if candidate.stack == "production" or is_rollout(active):
        raise shared(candidate, active)


async def _enter(
    account: Account, candidate: Candidate, listed: Sequence[Deployment], place: Joins | Waits, digest: str, voice: _Voice
) -> _Joined | Outcome:
    """Let the version join, unless it waits there already; ``listed`` are the deployments, the active one first.

    It is the version that this stack has just declared, secrets included, so a secret that differs from the old version's (10220) is meant.
    """
    active = deployment = listed[0]
    shares = {place.old: WHOLE, candidate.version: 0.0}
    if isinstance(place, Joins):
        try:
            deployment = await deploy(account, candidate.script, shares, mark("candidate", digest), force=True, listed=listed)
        except RefusedError as error:
            if reasons := [NO_CANDIDATE[code] for code in error.codes if code in NO_CANDIDATE]:
                return untried(candidate, active, reasons[0], voice.log)
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


async def _try(entered: _Entry, voice: _Voice) -> _Joined | Outcome:
    if not isinstance(entered, _Joined):
        return entered if isinstance(entered, Outcome) else Outcome(error=entered)
    candidate = entered.candidate
    if entered.share:
        return entered
    if error := await run_trial(candidate.target, candidate.version, candidate.checks, voice.log, candidate.rounds):
        raise error
    voice.passes(
        f"worker {candidate.script}: candidate {candidate.version} passed its {counted(len(candidate.checks), 'check')} {counted(candidate.rounds, 'time')}"
    )
    return entered


async def _take_out(account: Account, entered: _Joined, digest: str) -> str:
    """Leave the old version alone in the deployment; returns what serves now, for the error."""
    script, candidate = entered.candidate.script, entered.candidate.version
    try:
        listed = await account.deployments(script)
        active = next(iter(listed), None)
        if active is None or not (active.id == entered.deployment or _is_ours(active, entered, digest)):
            serving = active.summary if active else "nothing"
            return f"Somebody else deployed meanwhile, which was left as it is: {script} serves {serving}"
        await deploy(account, script, {entered.old: WHOLE}, mark("abort", digest), force=True, listed=listed)
    except ApiError as error:
        kept, everybody = (f"keeps {entered.share:g}%", "the rest") if entered.share else ("waits at 0%", "everybody")
        return f"{entered.old} still serves {everybody}. {candidate} could not be taken out and {kept} ({error.what.rstrip('.')})"
    return f"{entered.old} still serves everybody, alone"


def _is_ours(active: Deployment, entered: _Joined, digest: str) -> bool:
    """Whether the deployment is a step of this very release whose reply was lost."""
    return active.mark is not None and active.mark.is_of(digest) and set(active.shares) == {entered.old, entered.candidate.version}


def _outcome(candidate: Candidate, entered: _Entry, trial: _Entry, failed: list[Candidate], left: str) -> Outcome:
    kept = "What this release migrated stays: by the rules the old version works with it"
    if error := _error_in(trial):
        todo = f"{error.todo.rstrip('.')}, then {AGAIN}" if left else error.todo
        return Outcome(error=with_todo(error, ". ".join(filter(None, [left, kept if left else "", todo]))))
    if failed:
        others = " and ".join(other.script for other in failed)
        what = f"{candidate.version} gets no traffic, because the candidate of {others} failed"
        if not left:
            what = f"{candidate.version} gets no more traffic, because {others} did not pass"
        return Outcome(error=LiveError(f"worker {candidate.script}", what, f"{left + '. ' if left else ''}Fix that one, then {AGAIN}"))
    return Outcome(entered.deployment) if isinstance(entered, _Joined) else entered if isinstance(entered, Outcome) else Outcome()


def _error_in(result: _Entry) -> CraneError | None:
    return result if isinstance(result, CraneError) else result.error if isinstance(result, Outcome) else None


async def _active(account: Account, script: str) -> Deployment | None:
    return next(iter(await account.deployments(script)), None)


async def _each(work: Iterable[Awaitable[_Joined | Outcome]]) -> list[_Entry]:
    """The results side by side; an error that a user can fix is a result like any other."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, CraneError):
            raise result
    return [result for result in results if not isinstance(result, BaseException) or isinstance(result, CraneError)]
