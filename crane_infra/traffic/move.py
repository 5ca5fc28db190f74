"""Moves several workers to earlier versions at once, all of them or none: two releases never serve side by side without a word.

A deployment may be sent again, since the second one gives the same shares. Where a worker cannot be moved, the others get back what they served.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crane_infra.d1.api import again
from crane_infra.d1.errors import RefusedError
from crane_infra.errors import CraneError, LiveError
from crane_infra.live.account import Account, Deployment
from crane_infra.live.mark import Mark
from crane_infra.traffic.deploy import deploy

SECRETS_CHANGED = "(code 10220)"


@dataclass(frozen=True)
class Move:
    """A worker, the version that it is to serve, and the deployment that is active before."""

    worker: str
    script: str
    version: str
    before: Deployment | None


async def move_all(account: Account, moves: Sequence[Move], mark: Mark, *, force: bool) -> None:
    """Give all traffic of each worker to its version, at the same time, and look whether they serve.

    Raises LiveError that says what serves: what served before, or two releases where that could not be put back either.
    """
    failed = await _deploy_all(account, {move.script: (move, {move.version: 100.0}) for move in moves}, mark, force=force)
    if not failed:
        return
    may_have_moved = {
        move.script: (move, move.before.shares) for move in moves if move.before and not isinstance(failed.get(move.script), RefusedError)
    }
    stuck = await _deploy_all(account, may_have_moved, Mark("abort", mark.release), force=True)
    raise _failure(mark, moves, failed, stuck)


async def _deploy_all(
    account: Account, deployments: Mapping[str, tuple[Move, Mapping[str, float]]], mark: Mark, *, force: bool
) -> dict[str, CraneError]:
    """The errors by script."""

    async def one(script: str, shares: Mapping[str, float]) -> CraneError | None:
        try:
            await again(lambda: deploy(account, script, shares, mark, force=force))
        except CraneError as error:
            return error
        return None

    errors = await asyncio.gather(*(one(script, shares) for script, (_, shares) in deployments.items()))
    return {script: error for script, error in zip(deployments, errors, strict=True) if error}


def _failure(mark: Mark, moves: Sequence[Move], failed: Mapping[str, CraneError], stuck: Mapping[str, CraneError]) -> LiveError:
    where = f"rollback to {mark.release}"
    script, error = next(iter(failed.items()))
    reason = error.what
    if stuck:
        mixed = f"worker {script} could not be moved: {reason}; {', '.join(stuck)} could not be put back, so two releases may serve side by side"
        return LiveError(where, mixed, f"Run crane verify -s production, then crane rollback -s production {mark.release} again")
    others = "; the others were put back, so what served before serves again" if len(moves) > len(failed) else ""
    todo = "Run the same command again with --accept secrets" if SECRETS_CHANGED in reason else error.todo
    return LiveError(where, f"worker {script} could not be moved: {reason}{others}", todo)
