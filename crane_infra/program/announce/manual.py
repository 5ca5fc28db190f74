"""Looks for manual deployments before the first resource, and says or refuses what live/manual.py decides about them.

Changes nothing itself. Where a run returns a worker to its release, the worker's version is uploaded again and deployed. The old version
would not do: Cloudflare refuses to deploy one whose secrets differ from those that serve (10220), and the provider cannot insist.
"""

import asyncio
from concurrent.futures import Future

import pulumi

from crane_infra.errors import ApiError
from crane_infra.live.account import Account, open_account
from crane_infra.live.manual import LastDeployed, ManualDeployment, action_for, manual_deployment
from crane_infra.program.preparation import Prepared


async def look_at_deployments(prepared: Prepared) -> list[ManualDeployment]:
    """The deployments that this stack did not make, of the workers that it deployed last. Raises ApiError."""
    if not (last := _last_deployed(prepared)):
        return []
    async with open_account(prepared.settings) as account:
        seen = await asyncio.gather(*(_look_at(account, prepared, worker, deployed) for worker, deployed in last.items()))
    return [manual for manual in seen if manual is not None]


def announce_deployments(prepared: Prepared, deployments: Future[list[ManualDeployment]]) -> dict[str, str]:
    """The workers whose version is to be uploaded again, each with the mark of the manual deployment that it replaces.

    A mark stays for good: if it went away, the engine would upload the version once more. A preview logs what it sees and goes on. An
    update raises LiveError for a deployment that it must not undo, ApiError where the API fails.
    """
    marks = {name: worker.replaced_deployment for name, worker in prepared.last.workers.items() if worker.replaced_deployment}
    try:
        manual_deployments = deployments.result()
    except ApiError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"This preview cannot see manual deployments: {error}")
        return marks
    for manual in manual_deployments:
        _announce(manual, prepared)
    return marks | {manual.worker: manual.mark for manual in manual_deployments if manual.action == "redeploys"}


def _announce(manual: ManualDeployment, prepared: Prepared) -> None:
    stack = prepared.settings.environment
    if manual.action != "refuses":
        pulumi.log.warn(f"{manual.summary}.")
        return
    if not pulumi.runtime.is_dry_run():
        raise manual.error(stack)
    pulumi.log.warn(str(manual.error(stack)))


def _last_deployed(prepared: Prepared) -> dict[str, LastDeployed]:
    """What this stack deployed last, of the workers that it still has."""
    if not prepared.last.proofs:
        return {}
    newest, *older = prepared.last.proofs
    return {
        name: LastDeployed(
            worker.script,
            worker.version,
            worker.tag,
            {proof.workers[name].version for proof in older if name in proof.workers} - {worker.version},
        )
        for name, worker in newest.workers.items()
        if name in prepared.catalog.workers
    }


async def _look_at(account: Account, prepared: Prepared, worker: str, last: LastDeployed) -> ManualDeployment | None:
    settings = prepared.settings
    deployments = await account.deployments(last.script)
    if not deployments:
        return ManualDeployment(worker, last.script, None, "redeploys")
    (version, *others) = deployments[0].shares
    decided = others or version == last.version
    tag = None if decided else await account.tag_of(last.script, version)
    if (active := manual_deployment(deployments, last, tag)) is None:
        return None
    consent = settings.workers[worker].replace_deployment
    action = action_for(active, last, prepared.release.tag(worker), settings.environment, consent)
    return ManualDeployment(worker, last.script, active, action)
