"""Looks for deployments that the stack did not make, before the first resource: manual ones, twins, and those of ``crane rollback``.

Says or refuses what live/manual.py and live/rolled_back.py decide about them.

Changes nothing itself. Where a run returns a worker to its release, the worker's version is uploaded again and deployed. The old version
would not do: Cloudflare refuses to deploy one whose secrets differ from those that serve (10220), and the provider cannot insist.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.errors import WOULD_REFUSE, ApiError
from crane_infra.live.account import Account, Deployment, open_account
from crane_infra.live.adoption import version_changes
from crane_infra.live.manual import LastDeployed, ManualDeployment, action_for, action_for_one_made_anew, manual_deployment
from crane_infra.live.rolled_back import RolledBack, rolled_back, settled
from crane_infra.live.twins import compare, twin_summary
from crane_infra.program.announce.declared import declared_worker
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared
from crane_infra.release.proof import versions_in


@dataclass(frozen=True)
class OtherDeployments:
    """Where another version serves than the one that the stack deployed last: manual deployments, lines about twins, a rollback; what was active."""

    manual: tuple[ManualDeployment, ...] = ()
    twins: tuple[str, ...] = ()
    active: Mapping[str, str] = field(default_factory=dict)
    """By worker the id of the deployment that was active, where one was."""
    rolled_back: RolledBack | None = None


async def look_at_deployments(prepared: Prepared) -> OtherDeployments:
    """The deployments that this stack did not make, of the workers that it deployed last. Raises ApiError."""
    if not (last := _last_deployed(prepared)):
        return OtherDeployments()
    async with open_account(prepared.settings) as account:
        listed = dict(zip(last, await all_at_once(account.deployments(worker.script) for worker in last.values()), strict=True))
        active = {name: deployments[0] for name, deployments in listed.items() if deployments}
        rollback = rolled_back({name: made for name in active if (made := settled(listed[name]))}, prepared.last.proofs)
        others = {name: worker for name, worker in last.items() if not (rollback and name in rollback.deployments)}
        seen = await all_at_once(_look_at(account, prepared, name, worker, listed[name]) for name, worker in others.items())
    return OtherDeployments(
        tuple(found for found in seen if isinstance(found, ManualDeployment)),
        tuple(found for found in seen if isinstance(found, str)),
        {name: made.id for name, made in active.items()},
        rollback,
    )


@dataclass(frozen=True)
class DeploymentsPlan:
    """What a run does about deployments that it did not make."""

    reuploads: Mapping[str, str]
    """The workers whose version is uploaded again although it did not change, each with the mark of the manual deployment that it replaces."""
    active: Mapping[str, str] = field(default_factory=dict)
    """By worker the id of the deployment that was active when the run began."""


def announce_deployments(prepared: Prepared, deployments: Future[OtherDeployments]) -> DeploymentsPlan:
    """Say or refuse what is to be done about the deployments that this stack did not make.

    A mark stays for good: if it went away, the engine would upload the version once more. A preview logs what it sees and goes on. An
    update raises LiveError for a deployment that it must not undo, ApiError where the API fails.
    """
    marks = {name: worker.replaced_deployment for name, worker in prepared.last.workers.items() if worker.replaced_deployment}
    try:
        others = deployments.result()
    except ApiError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"This preview cannot see manual deployments: {error}")
        return DeploymentsPlan(marks)
    log(map(Line, others.twins))
    if others.rolled_back:
        _announce_rollback(others.rolled_back, prepared)
        marks |= {worker: made.id for worker, made in others.rolled_back.deployments.items()}
    for manual in others.manual:
        _announce(manual, prepared)
    redeployed = {manual.worker: manual.mark for manual in others.manual if manual.action == "redeploys"}
    return DeploymentsPlan(marks | redeployed, others.active)


def _announce_rollback(back: RolledBack, prepared: Prepared) -> None:
    """Say that this run ends a rollback; refuse it where it would undo one unasked."""
    stack, digest, proofs = prepared.settings.environment, prepared.release.digest, prepared.last.proofs
    consents = {name: prepared.settings.workers[name].replace_deployment for name in back.deployments}
    is_meant = all(consents[name] == made.id for name, made in back.deployments.items())
    if is_meant or not back.would_be_undone_by(digest, proofs[0].digest):
        pulumi.log.warn(f"Production was {back.summary}. This run ends the rollback and deploys release {digest[:12]}.")
        return
    error = back.error(stack, digest, proven=any(proof.digest == digest for proof in proofs))
    if not pulumi.runtime.is_dry_run():
        raise error
    pulumi.log.warn(f"{error} {WOULD_REFUSE}")


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
            versions_in(older, name) - {worker.version},
        )
        for name, worker in newest.workers.items()
        if name in prepared.catalog.workers
    }


async def _look_at(
    account: Account, prepared: Prepared, worker: str, last: LastDeployed, deployments: Sequence[Deployment]
) -> ManualDeployment | str | None:
    """A manual deployment of one worker, or what is to be said about a twin."""
    settings, consent = prepared.settings, prepared.settings.workers[worker].replace_deployment
    if not deployments:
        action = action_for(None, last, prepared.release.tag(worker), settings.environment, consent)
        return ManualDeployment(worker, last.script, None, action, last_version=last.version, adopted=settings.workers[worker].adopted)
    (version, *others) = deployments[0].traffic
    decided = others or version == last.version
    serving = None if decided else await compare(account, last.script, version, last.version, last.earlier, deployments)
    if (active := manual_deployment(deployments, last, serving)) is None:
        return twin_summary(last.script, version, last.version) if serving and serving.is_twin else None
    made_anew, adopted = serving is not None and serving.made_anew, settings.workers[worker].adopted
    action = (
        action_for_one_made_anew(active, consent, adopted=adopted)
        if made_anew
        else action_for(active, last, prepared.release.tag(worker), settings.environment, consent)
    )
    live = await account.worker(last.script)
    changes = version_changes(live, declared_worker(prepared, worker)) if live else []
    return ManualDeployment(worker, last.script, active, action, tuple(map(prepared.redact, changes)), last.version, adopted, made_anew)
