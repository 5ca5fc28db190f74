"""Deployments that somebody made by hand since the last release of a stack, and what a run does about them. Pure.

A run that uploads another version replaces such a deployment anyway. Where the version stays, the provider would call the
deployment unchanged and leave it: staging is then returned to what it should be; production is not, since a rollback by hand
is how an incident is ended, and the next run must not undo that unasked. Prevents both.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from crane_infra.errors import LiveError
from crane_infra.live.account import Deployment

Answer = Literal["goes on", "redeploys", "refuses"]
_WORKER_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Deployed:
    """What a stack deployed last of a worker, by its newest proof; ``earlier`` are the versions of its older proofs."""

    script: str
    version: str
    tag: str
    earlier: Collection[str] = ()


@dataclass(frozen=True)
class Handmade:
    """A deployment that this stack did not make, and what the run does about it."""

    worker: str
    script: str
    deployment: Deployment | None
    """None: the worker is gone, with all its deployments."""
    answer: Answer

    @property
    def mark(self) -> str:
        """What tells this deployment from every other one."""
        return self.deployment.id if self.deployment else f"none of {self.script}"

    @property
    def told(self) -> str:
        """What is seen, and what is done about it, in a sentence for the log of a run that goes on."""
        if self.deployment is None:
            return f"worker {self.script}: serves nothing any more. If it was deleted, run pulumi refresh of this stack first"
        done = {
            "goes on": "this release replaces it",
            "redeploys": "it is returned to this release",
            "refuses": "an update would be refused",
        }
        return f"worker {self.script}: serves {self._seen}; {done[self.answer]}"

    def error(self, stack: str) -> LiveError:
        """The refusal."""
        consent = f"pulumi config set -s {stack} --path workers.{self.worker}.replace-deployment {self.mark}"
        todo = f"If this release shall replace what serves now: {consent}, then run the same command again"
        return LiveError(f"worker {self.script}", f"serves {self._seen}, and this release would leave or undo that", todo)

    @property
    def _seen(self) -> str:
        if self.deployment is None:
            return "nothing any more"
        by = f" by {self.deployment.by}" if self.deployment.by else ""
        return f"{self.deployment.told}, deployed by hand{by} on {self.deployment.made_on}"


def made_by_hand(found: Sequence[Deployment], last: Deployed, tag: str | None) -> Deployment | None:
    """The active deployment of ``found`` (the active one first) if the stack did not make it; ``tag`` is that of its version.

    The stack only ever gives all traffic to a version that it has just uploaded, with a worker digest as its tag. So a version
    that served before the last one was put back by hand; a newer one with a digest is that of a run that did not end well.
    """
    if not found or found[0].shares == {last.version: 100}:
        return None
    active, *older = found
    served = [version for deployment in older for version in deployment.shares]
    before = {*last.earlier, *(served[served.index(last.version) + 1 :] if last.version in served else ())}
    ours = len(active.shares) == 1 and not before.intersection(active.shares) and _WORKER_DIGEST.fullmatch(tag or "")
    return None if ours else active


def answer_to(found: Deployment, last: Deployed, tag: str, environment: str, consent: str | None) -> Answer:
    """What a run of ``environment`` that wants the version with ``tag`` does; ``consent`` names a deployment to replace."""
    if tag != last.tag:
        return "goes on"
    return "redeploys" if environment == "staging" or consent == found.id else "refuses"
