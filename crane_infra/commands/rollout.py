"""What ``crane rollout`` does with a rollout that holds: it says where each worker stands, goes on, or puts the old versions back.

The deployments are the only state, so a command that did not come to its end is run again: it moves those that stayed behind. Going on asks
the same gate as an update; putting back asks nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crane_infra.commands.apply import State, require_proven
from crane_infra.config.catalog import Catalog
from crane_infra.config.services import called_first
from crane_infra.config.settings import Settings
from crane_infra.d1.api import again
from crane_infra.errors import ApiError, LiveError
from crane_infra.live.account import Account, Deployment, open_account
from crane_infra.live.mark import Mark
from crane_infra.release.manifest import read_release
from crane_infra.traffic.deploy import deploy
from crane_infra.traffic.outcome import AGAIN
from crane_infra.traffic.place import WHOLE

_WHERE = "rollout"


@dataclass(frozen=True)
class Rolling:
    """A worker in a rollout: ``old`` served all before it, ``new`` has a share, or waits at 0 % as a candidate."""

    worker: str
    script: str
    old: str
    new: str
    deployment: Deployment
    mark: Mark

    @property
    def share(self) -> float:
        """The share of the new version."""
        return self.deployment.shares[self.new]

    @property
    def summary(self) -> str:
        """Where it stands."""
        return f"worker {self.script}: {self.new} of release {self.mark.release} at {self.share:g}%, {self.old} serves the rest"


async def status(settings: Settings) -> list[str]:
    """Where each worker stands that is in a rollout. Raises ApiError."""
    async with open_account(settings) as account:
        return [rolling.summary for rolling in await _rolling(account, settings)] or ["no rollout is under way"]


async def abort(settings: Settings, say: Callable[[str], None]) -> None:
    """Put the old version of each worker back. Raises LiveError where there is no rollout, or a worker cannot be moved."""
    async with open_account(settings) as account, _all_or_said(settings):
        for rolling in _required(await _rolling(account, settings), settings):
            await _move(account, rolling, {rolling.old: WHOLE}, Mark("abort", rolling.mark.release))
            say(f"worker {rolling.script}: {rolling.old} serves everybody again, alone")


async def go_on(settings: Settings, catalog: Catalog, state: State, say: Callable[[str], None]) -> None:
    """Give the new version of each worker the share of the next step, or everything after the last.

    Raises GateError where production's gate is closed for these files or production is frozen, LiveError where there is no rollout, it is of
    another release, or a worker cannot be moved.
    """
    digest = read_release(catalog, settings.workers_dir).digest
    if settings.environment == "production":
        staging, production = state.outputs_of("staging"), state.outputs_of("production")
        await require_proven(settings, catalog, staging, production, state.freeze_of("production"), say)
    async with open_account(settings) as account, _all_or_said(settings):
        workers = _required([each for each in await _rolling(account, settings) if each.mark.purpose == "canary"], settings)
        if others := [each for each in workers if not each.mark.is_of(digest)]:
            what = f"{others[0].script} rolls out release {others[0].mark.release}, but these files are release {digest[:12]}"
            raise LiveError(_WHERE, what, "Check out the files of that release, or abort it")
        steps = {rolling.worker: settings.rollout_of(rolling.worker).steps for rolling in workers}
        for rolling, share in next_shares(workers, steps):
            shares = {rolling.new: WHOLE} if share == WHOLE else {rolling.old: WHOLE - share, rolling.new: share}
            await _move(account, rolling, shares, Mark("canary", rolling.mark.release))
            say(f"worker {rolling.script}: {rolling.new} now has {share:g}%")
    say(f"Next: pulumi up -s {settings.environment}, which watches this step and goes on")


def next_shares(workers: Sequence[Rolling], steps: Mapping[str, Sequence[float]]) -> list[tuple[Rolling, float]]:
    """The workers that move now, each with its next share; ``steps`` are by worker.

    Those that are behind the others move first: a command that ended half way has not moved them. Those that have taken all their steps wait
    for the rest, as in an update.
    """
    left = {rolling.worker: [step for step in steps[rolling.worker] if step > rolling.share] for rolling in workers}
    stepping = [rolling for rolling in workers if left[rolling.worker]]
    if not stepping:
        return [(rolling, WHOLE) for rolling in workers]
    taken = {rolling.worker: len(steps[rolling.worker]) - len(left[rolling.worker]) for rolling in stepping}
    return [(rolling, left[rolling.worker][0]) for rolling in stepping if taken[rolling.worker] == min(taken.values())]


async def _move(account: Account, rolling: Rolling, shares: Mapping[str, float], made: Mark) -> None:
    try:
        await again(lambda: deploy(account, rolling.script, shares, made, force=True))
    except ApiError as error:
        raise LiveError(
            f"worker {rolling.script}", f"could not be moved: {error.what}", f"{error.todo.rstrip('.')}, then {AGAIN}"
        ) from None


@asynccontextmanager
async def _all_or_said(settings: Settings) -> AsyncIterator[None]:
    """Where Ctrl-C or SIGTERM ends the command, say that some workers may have moved and others not."""
    try:
        yield
    except asyncio.CancelledError:
        what = "was interrupted, so some workers may have moved and others not"
        todo = f"Look with crane rollout status -s {settings.environment}, then {AGAIN}: it moves the rest"
        raise LiveError(_WHERE, what, todo) from None


def _required(workers: Sequence[Rolling], settings: Settings) -> Sequence[Rolling]:
    if not workers:
        raise LiveError(_WHERE, f"no rollout is under way in {settings.environment}", f"Start one with pulumi up -s {settings.environment}")
    return workers


async def _rolling(account: Account, settings: Settings) -> list[Rolling]:
    """The workers in a rollout, those that are called first."""
    order = called_first(settings, set(settings.workers))
    listed = [(worker, settings.script(worker), await account.deployments(settings.script(worker))) for worker in order]
    return [rolling for worker, script, deployments in listed if (rolling := rolling_of(worker, script, deployments))]


def rolling_of(worker: str, script: str, deployments: Sequence[Deployment]) -> Rolling | None:
    """What the deployments of a worker, newest first, say about its rollout; None where it is in none.

    The old version is the one that served alone before, and the deployments say which: no file has to.
    """
    if not deployments or deployments[0].mark is None or deployments[0].mark.purpose not in ("candidate", "canary"):
        return None
    active, *before = deployments
    alone = [next(iter(deployment.traffic)) for deployment in before if len(deployment.traffic) == 1]
    old = next((version for version in alone if version in active.shares), None)
    new = [version for version in active.shares if version != old]
    if old is None or len(new) != 1 or active.mark is None:
        return None
    return Rolling(worker, script, old, new[0], active, active.mark)
