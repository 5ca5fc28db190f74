"""Decides what a run does about manual deployments: deployments that the stack did not make since its last release. Pure.

A run that uploads another version replaces such a deployment anyway. Where the version stays the same, the provider calls the deployment
unchanged and leaves it. Staging then returns to its release. Production does not: a manual rollback is how an incident ends, and the next
run must not undo it unasked.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from crane_infra.errors import LiveError
from crane_infra.live.account import Deployment
from crane_infra.live.twins import Comparison

Action = Literal["goes on", "redeploys", "refuses"]
_WORKER_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LastDeployed:
    """What a stack deployed last of a worker, by its newest proof; ``earlier`` are the versions of its older proofs."""

    script: str
    version: str
    tag: str
    earlier: Collection[str] = ()


class ManualDeployment(NamedTuple):
    """A deployment that this stack did not make, and what the run does about it."""

    worker: str
    script: str
    deployment: Deployment | None
    """None: the worker serves nothing, which it confirmed itself."""
    action: Action
    changes: tuple[str, ...] = ()
    """What replacing it changes besides the code, each in a few words."""
    last_version: str = ""
    """The version that the stack deployed last."""
    adopted: bool = False
    """Whether the stack adopts the worker: one that is gone cannot be adopted again."""
    made_anew: bool = False
    """Whether somebody deleted the worker and created it again, so that Pulumi's state knows one that is gone."""

    @property
    def mark(self) -> str:
        """What distinguishes this deployment from every other one."""
        return self.deployment.id if self.deployment else nothing_after(self.last_version)

    @property
    def summary(self) -> str:
        """What serves and what the run does about it, for the log of a run that goes on."""
        if self.deployment is None:
            recreate = f"set workers.{self.worker}.recreate to true, since this stack adopted it, and " if self.adopted else ""
            return f"worker {self.script}: no longer serves anything. If it was deleted, {recreate}run pulumi refresh for this stack first"
        consequence = {
            "goes on": "this release replaces it",
            "redeploys": "this run returns it to its release",
            "refuses": "an update would be refused",
        }
        changes = f": {'; '.join(self.changes)}" if self.changes else ""
        return f"worker {self.script}: serves {self._serving}; {consequence[self.action]}{changes}"

    def error(self, stack: str) -> LiveError:
        """The refusal."""
        consent = f"pulumi config set -s {stack} --path workers.{self.worker}.replace-deployment {self.mark}"
        if self.deployment is None:
            what = "serves nothing: the worker, or its deployment, was deleted"
            recreate = f"pulumi config set -s {stack} --path workers.{self.worker}.recreate true, then " if self.adopted else ""
            todo = f"To create it again from this release: {consent}, then {recreate}pulumi refresh -s {stack}, then run the same command again"
            return LiveError(f"worker {self.script}", what, todo)
        if self.made_anew:
            gone = f"and {self.last_version}, which this stack deployed, is gone"
            what = f"was deleted and created again by somebody else: it serves {self._serving}, {gone}"
            refresh = f"pulumi refresh -s {stack}, then run the same command again"
            first = (
                f"To let this release replace it: {consent}"
                if self.adopted
                else f"Delete it once nobody needs it: wrangler delete --name {self.script}"
            )
            return LiveError(f"worker {self.script}", what, f"{first}, then {refresh}")
        todo = f"To let this release replace it: {consent}, then run the same command again"
        what = f"serves {self._serving}, which this stack did not deploy; an update would keep or overwrite it"
        return LiveError(f"worker {self.script}", what, todo)

    @property
    def _serving(self) -> str:
        if self.deployment is None:
            return "nothing"
        by = f" by {self.deployment.by}" if self.deployment.by else ""
        return f"{self.deployment.summary} (manual deployment{by} on {self.deployment.made_on})"


def nothing_after(version: str) -> str:
    """The mark of a worker that serves nothing any more, where ``version`` was the last that its stack deployed."""
    return f"nothing-after-{version}"


def manual_deployment(deployments: Sequence[Deployment], last: LastDeployed, serving: Comparison | None) -> Deployment | None:
    """The active deployment (the first of ``deployments``) if the stack did not make it.

    ``serving`` compares its version with the last one; None where several versions share the traffic. The stack only ever gives all
    traffic to a version that it has just uploaded, with a worker digest as its tag. So a version that was uploaded or served before the last
    one was put back, manually or by a call that arrived late; a newer one with a digest belongs to a run that did not finish.
    """
    if not deployments or deployments[0].traffic == {last.version: 100}:
        return None
    active, *older = deployments
    if active.is_step and last.version in active.shares:
        return None  # the run goes on with that rollout
    if serving is None:
        return active
    if serving.is_twin:
        return None
    if serving.made_anew:
        return active
    served = [version for deployment in older if not deployment.is_step for version in deployment.traffic]
    before = {*last.earlier, *(served[served.index(last.version) + 1 :] if last.version in served else ())}
    is_put_back = serving.is_older or bool(before.intersection(active.traffic))
    return active if is_put_back or not _WORKER_DIGEST.fullmatch(serving.tag or "") else None


def action_for_one_made_anew(deployment: Deployment, consent: str | None, *, adopted: bool) -> Action:
    """What a run does about a worker that somebody created again: nothing unasked, since it has whatever that person put there.

    One that the stack adopts can be adopted again, by its name. One that it created has to go first.
    """
    return "redeploys" if adopted and consent == deployment.id else "refuses"


def action_for(deployment: Deployment | None, last: LastDeployed, tag: str, environment: str, consent: str | None) -> Action:
    """What a run of ``environment`` does whose release has the worker digest ``tag``; ``consent`` names what it may replace by its mark.

    A worker that serves nothing is never created again unasked in production, whatever the release brings.
    """
    if deployment is not None and tag != last.tag:
        return "goes on"
    mark = deployment.id if deployment else nothing_after(last.version)
    return "redeploys" if environment == "staging" or consent == mark else "refuses"
