"""Tries the new versions of a run once, together, for the hooks of all workers: whichever comes first begins.

Pulumi runs the hook of a worker when its turn comes, after the workers that it calls. Tried there, one by one, the first worker would have its
traffic before the last one was tried.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from crane_infra.at_once import all_at_once, both
from crane_infra.checks.request import Target
from crane_infra.errors import ApiError
from crane_infra.live.account import Account, Deployment, open_account
from crane_infra.program.announce.plan import Plan
from crane_infra.program.components.worker import Worker
from crane_infra.program.hooks.steps import Log, due_checks
from crane_infra.program.preparation import Prepared
from crane_infra.program.waiting import Activity, Watch
from crane_infra.traffic.candidate import require_unchanged, try_candidates
from crane_infra.traffic.leave import Leave
from crane_infra.traffic.outcome import Candidate, Outcome

_FRESH_SECONDS = 1.0
Listed = dict[str, tuple[Deployment, ...]]


@dataclass(frozen=True)
class Leaves:
    """What stands before each step: ``join`` before candidates join, ``follow`` before the traffic of a worker moves later than that of others."""

    join: Leave
    follow: Callable[[str], Awaitable[None]]
    move: Leave
    """Before the traffic of those that passed moves."""


class Candidates:
    """The new versions of one run."""

    def __init__(self, run: Prepared, plan: Plan, workers: Mapping[str, Worker], log: Log, activity: Activity, leaves: Leaves) -> None:
        self._leaves = leaves
        self._run, self._plan, self._workers, self._log, self._activity = run, plan, workers, log, activity
        self._together: asyncio.Future[dict[str, Outcome]] | None = None

    async def require(self, worker: str) -> None:
        """Return once the version of this worker may get traffic. Raises a CraneError where it may not."""
        comes_later = self._together is not None and self._together.done()
        if self._together is None:
            self._together = asyncio.ensure_future(self._try_all(worker))
        outcomes = await self._together
        if worker not in outcomes:
            outcomes = await self._try({worker})
        if error := outcomes[worker].error:
            raise error
        async with open_account(self._run.settings) as account:
            unchanged = require_unchanged(account, self._run.settings.script(worker), outcomes[worker].deployment)
            await all_at_once([self._leaves.follow(worker), unchanged] if comes_later else [unchanged])

    async def _try_all(self, worker: str) -> dict[str, Outcome]:
        return await self._try({worker, *await self._changed()})

    async def _changed(self) -> set[str]:
        """The workers whose version the newest proof does not have. Others may be left out of the run, and be left alone."""
        newest = self._run.last.newest
        proven = {name: worker.version for name, worker in newest.workers.items()} if newest else {}
        return {name for name, worker in self._workers.items() if await self._version(worker) != proven.get(name)}

    async def _try(self, workers: Collection[str]) -> dict[str, Outcome]:
        candidates = [await self._candidate(name) for name in self._workers if name in workers]
        async with open_account(self._run.settings) as account:
            digest, listed = self._run.release.digest, await self._listed(account, candidates)
            trials = try_candidates(account, candidates, digest, self._log, self._activity, may_move=self._leaves.move, listed=listed)
            return await Watch(self._activity.say).during(trials, self._activity)

    async def _listed(self, account: Account, candidates: Sequence[Candidate]) -> Listed:
        """Read the deployments that the candidates are to join, while the look before that goes on; nothing where it took long. Raises what it raises."""
        began = monotonic()
        _, listed = await both(self._leaves.join(), all_at_once(_deployments(account, candidate.script) for candidate in candidates))
        if monotonic() - began > _FRESH_SECONDS:
            return {}
        return {candidate.script: made for candidate, made in zip(candidates, listed, strict=True) if made is not None}

    async def _candidate(self, name: str) -> Candidate:
        run, settings = self._run, self._run.settings
        worker, version, tag = run.catalog.workers[name], await self._version(self._workers[name]), run.release.tag(name)
        consent = settings.workers[name].without_candidate
        return Candidate(
            name,
            version,
            Target(
                settings.script(name), settings.url(name), version if worker.reports_version else None, run.secrets_of(name), settings.root
            ),
            tuple(check for check in due_checks(worker, settings) if check.is_for_candidates),
            settings.environment,
            tag[:12],
            consent is not None and tag.startswith(consent),
            settings.rollout_of(name),
            settings.candidate_rounds,
            name in self._plan.classes.pending,
            self._plan.active.get(name),
        )

    async def _version(self, worker: Worker) -> str:
        return str(await worker.version.id.future())


async def _deployments(account: Account, script: str) -> tuple[Deployment, ...] | None:
    """None where they cannot be read: the candidate is told so when it joins."""
    try:
        return await account.deployments(script)
    except ApiError:
        return None
