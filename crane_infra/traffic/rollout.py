"""Moves traffic to new versions in steps, and watches each: probes of both versions alternate, and Cloudflare's numbers may veto.

All workers of a release take a step together, those that are called before those that call them. The deployment is the only state: a run that
dies leaves its step, and the next run goes on there.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

from crane_infra.checks.model import AnyCheck
from crane_infra.checks.request import Target
from crane_infra.config.rollout import Rollout
from crane_infra.counted import counted
from crane_infra.errors import CheckError, CraneError, LiveError
from crane_infra.live.account import Account
from crane_infra.live.invocations import Unknown, invocations
from crane_infra.live.mark import mark
from crane_infra.traffic.decision import Counts, Decision, decide, vetoes
from crane_infra.traffic.deploy import deploy
from crane_infra.traffic.leave import Leave, always, refused_by
from crane_infra.traffic.place import WHOLE
from crane_infra.traffic.series import Seen
from crane_infra.traffic.trial import Round, ask_round, last_wrong

_METRICS_SECONDS, _LONGEST_INTERVAL, _ROUND_SECONDS = 30.0, 2.0, 10.0


@dataclass
class Moving:
    """A new version on its way: beside ``old``, with ``share`` percent in the deployment with this id."""

    target: Target
    checks: tuple[AnyCheck, ...]
    version: str
    old: str
    rollout: Rollout
    deployment: str
    share: float = 0.0

    @property
    def script(self) -> str:
        """The worker's name at Cloudflare."""
        return self.target.worker

    @property
    def next_share(self) -> float | None:
        """The share of the step after this one; None after the last."""
        return next((step for step in self.rollout.steps if step > self.share), None)


@dataclass
class _Watched:
    old: Counts = field(default_factory=Counts)
    new: Counts = field(default_factory=Counts)
    rounds: list[Round] = field(default_factory=list)
    metrics: str = ""


class HeldError(LiveError):
    """A rollout stopped where it is: a person has to decide."""


async def roll_out(
    account: Account, workers: Sequence[Moving], digest: str, stack: str, log: Callable[[str], None], *, may_move: Leave = always
) -> dict[str, CraneError]:
    """Take the workers through their steps, in this order; returns why the rollout stopped, by script: nothing where every step went well.

    ``may_move`` is asked after each step: where traffic may not move any more, the rollout holds. The workers say which deployment each has in
    the end; nothing is put back here.
    """
    resumed = [worker for worker in workers if worker.share]
    if resumed:
        log(f"rollout: goes on at {', '.join(f'{worker.script} {worker.share:g}%' for worker in resumed)}, where an earlier run stopped")
        if errors := await _watch_all(account, resumed, stack, log) or await _held(resumed, stack, may_move):
            return errors
    while moving := [worker for worker in workers if worker.next_share is not None]:
        pause = max(worker.rollout.pause for worker in moving)
        order = ", then ".join(f"{worker.script} {worker.next_share:g}%" for worker in moving)
        log(f"rollout: {order}; watched for {pause} s")
        for worker in moving:
            try:
                await _step(account, worker, digest)
            except CraneError as error:
                return {worker.script: error}
        if errors := await _watch_all(account, moving, stack, log) or await _held(moving, stack, may_move):
            return errors
    return {}


async def _held(workers: Sequence[Moving], stack: str, may_move: Leave) -> dict[str, CraneError]:
    """The errors by script where traffic may not move any more: each worker keeps its share, and nothing is put back."""
    if (refusal := await refused_by(may_move)) is None:
        return {}
    todo = f"{refusal.todo.rstrip('.')}. Then run the same command again; or put the old versions back: crane rollout abort -s {stack}"
    return {
        worker.script: HeldError(
            f"worker {worker.script}", f"the rollout holds with {worker.version} at {worker.share:g}%: {refusal.what}", todo
        )
        for worker in workers
    }


async def _step(account: Account, worker: Moving, digest: str) -> None:
    listed = await account.deployments(worker.script)
    active = next(iter(listed), None)
    if active is None or active.id != worker.deployment:
        now = f"it serves {active.summary}" if active else "it serves nothing"
        what = f"somebody else deployed it during its rollout: now {now}"
        raise LiveError(f"worker {worker.script}", what, "Find out who did, then run the same command again")
    share = worker.next_share or WHOLE
    shares = {worker.old: WHOLE - share, worker.version: share}
    worker.deployment = (await deploy(account, worker.script, shares, mark("canary", digest), force=True, listed=listed)).id
    worker.share = share


async def _watch_all(account: Account, workers: Sequence[Moving], stack: str, log: Callable[[str], None]) -> dict[str, CraneError]:
    """Watch one step of all these workers; returns the errors by script: those that abort, or else those that hold."""
    ends = await asyncio.gather(*(_watch(account, worker, stack, log) for worker in workers))
    errors = {worker.script: error for worker, error in zip(workers, ends, strict=True) if error}
    aborts = {script: error for script, error in errors.items() if not isinstance(error, HeldError)}
    return aborts or errors


async def _watch(account: Account, worker: Moving, stack: str, log: Callable[[str], None]) -> CraneError | None:
    rollout, seen, since = worker.rollout, _Watched(), datetime.now(UTC)
    started = looked = monotonic()
    interval = min(_LONGEST_INTERVAL, rollout.pause / (2 * rollout.samples))
    while True:
        await _ask_both(worker, seen)
        passed = monotonic() - started
        has_enough = seen.new.asked >= rollout.samples
        is_over = passed >= (rollout.pause if has_enough else rollout.longest_step)
        decision = decide(seen.old, seen.new, is_over=is_over, samples=rollout.samples)
        if decision is not Decision.ABORT and (is_over or monotonic() - looked >= _METRICS_SECONDS):
            looked = monotonic()
            until = since + timedelta(seconds=monotonic() - started)  # a clock that is set meanwhile moves it nowhere
            if await _has_veto(account, worker, seen, (since, until), log):
                decision = Decision.ABORT
        if decision is Decision.WATCH:
            await asyncio.sleep(interval)
            continue
        return _end(worker, seen, decision, stack, log)


async def _ask_both(worker: Moving, seen: _Watched) -> None:
    for version in (worker.old, worker.version):
        target = replace(worker.target, version_id=version if worker.target.version_id else None)
        asked = await ask_round(target, version, worker.checks, _ROUND_SECONDS)
        if asked.seen is Seen.ELSEWHERE:
            continue
        failed = int(asked.seen is not Seen.RIGHT)
        if version == worker.old:
            seen.old = Counts(seen.old.asked + 1, seen.old.failed + failed)
        else:
            seen.new = Counts(seen.new.asked + 1, seen.new.failed + failed)
            seen.rounds.append(asked)


async def _has_veto(
    account: Account, worker: Moving, seen: _Watched, watched: tuple[datetime, datetime], log: Callable[[str], None]
) -> bool:
    numbers = await invocations(account, worker.script, *watched)
    if isinstance(numbers, Unknown):
        if not seen.metrics:
            log(f"worker {worker.script}: Cloudflare's error rate by version is not known ({numbers.reason}); the probes decide alone")
        seen.metrics = "unknown"
        return False
    ours = numbers.get(worker.version)
    seen.metrics = (
        f"Cloudflare counts {counted(ours.errors, 'error')} in {counted(ours.requests, 'request')}"
        if ours
        else "Cloudflare counts no request"
    )
    return vetoes(numbers, worker.old, worker.version)


def _end(worker: Moving, seen: _Watched, decision: Decision, stack: str, log: Callable[[str], None]) -> CraneError | None:
    where, at = f"worker {worker.script}", f"{worker.version} at {worker.share:g}%"
    metrics = f"; {seen.metrics}" if seen.metrics and seen.metrics != "unknown" else ""
    counted = f"{seen.new.failed} of {seen.new.asked} answers were wrong, of the old version {seen.old.failed} of {seen.old.asked}{metrics}"
    if decision is Decision.PROMOTE:
        log(f"{where}: {at} went well: {counted}")
        return None
    if decision is Decision.HOLD:
        what = f"the rollout holds with {at}: {counted}, and {worker.rollout.samples} answers are needed to decide"
        decide_it = (
            f"crane rollout continue -s {stack}, or crane rollout abort -s {stack}; or run the same command again to watch once more"
        )
        return HeldError(where, what, f"Decide: {decide_it}")
    last = f"; {last_wrong(seen.rounds)}" if seen.new.failed else ""
    return CheckError(where, f"the rollout failed with {at}: {counted}{last}", f"Look at the logs of {worker.script} and fix it")
