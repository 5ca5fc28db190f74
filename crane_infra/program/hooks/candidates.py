"""Tries the new versions of a run once, together, for the hooks of all workers: whichever comes first begins.

Pulumi runs the hook of a worker when its turn comes, after the workers that it calls. Tried there, one by one, the first worker would have its
traffic before the last one was tried.
"""

import asyncio
from collections.abc import Collection, Mapping

from crane_infra.checks.request import Target
from crane_infra.live.account import open_account
from crane_infra.program.announce.plan import Plan
from crane_infra.program.components.worker import Worker
from crane_infra.program.hooks.steps import Log, due_checks
from crane_infra.program.preparation import Prepared
from crane_infra.program.waiting import Activity, Watch
from crane_infra.traffic.candidate import require_unchanged, try_candidates
from crane_infra.traffic.leave import Leave
from crane_infra.traffic.outcome import Candidate, Outcome


class Candidates:
    """The new versions of one run."""

    def __init__(self, run: Prepared, plan: Plan, workers: Mapping[str, Worker], log: Log, activity: Activity, *, may_move: Leave) -> None:
        self._may_move = may_move
        self._run, self._plan, self._workers, self._log, self._activity = run, plan, workers, log, activity
        self._together: asyncio.Future[dict[str, Outcome]] | None = None

    async def require(self, worker: str) -> None:
        """Return once the version of this worker may get traffic. Raises a CraneError where it may not."""
        if self._together is None:
            self._together = asyncio.ensure_future(self._try_all(worker))
        outcomes = await self._together
        if worker not in outcomes:
            outcomes = await self._try({worker})
        if error := outcomes[worker].error:
            raise error
        async with open_account(self._run.settings) as account:
            await require_unchanged(account, self._run.settings.script(worker), outcomes[worker].deployment)

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
            digest = self._run.release.digest
            trials = try_candidates(account, candidates, digest, self._log, self._activity, may_move=self._may_move)
            return await Watch(self._activity.say).during(trials, self._activity)

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
            self._plan.active.get(name),
        )

    async def _version(self, worker: Worker) -> str:
        return str(await worker.version.id.future())
