"""Recognises what ``crane rollback`` made, by the marks of the active deployments, and decides what a run does about it. Pure.

A mark alone proves nothing: anybody can write a message. Its deployment has to serve the version that a proof of this stack names for that
release. Everything else is a manual deployment (``manual.py``).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crane_infra.errors import LiveError
from crane_infra.live.account import Deployment
from crane_infra.live.mark import Mark, read_mark
from crane_infra.release.proof import Proof


class RolledBack(NamedTuple):
    """The release that serves again since a rollback, and the marked deployments by worker.

    Workers whose version is the same in both releases have no marked deployment.
    """

    proof: Proof
    mark: Mark
    deployments: Mapping[str, Deployment]

    @property
    def summary(self) -> str:
        """What was done, when, by whom and why, for a person."""
        made = next(iter(self.deployments.values()))
        by = f" by {made.by}" if made.by else ""
        reason = f" ({self.mark.reason})" if self.mark.reason else ""
        left = f" from release {self.mark.left}" if self.mark.left else ""
        return f"rolled back to release {self.proof.digest[:12]}{left} on {_moment(made.made_on)}{by}{reason}"

    def would_be_undone_by(self, digest: str, newest: str) -> bool:
        """Whether this release is the one that the rollback left. ``newest`` is the release that the stack proved last."""
        if self.mark.is_of(digest):
            return False
        return digest.startswith(self.mark.left) if self.mark.left else digest == newest

    def error(self, stack: str, digest: str, *, proven: bool) -> LiveError:
        """The refusal of a run that would undo it. ``proven``: this stack has proven the release, so its versions can be put back."""
        what = f"{self.summary}, and these files are the release that it left: an update would undo the rollback"
        consents = (
            f"pulumi config set -s {stack} --path workers.{worker}.replace-deployment {made.id}"
            for worker, made in self.deployments.items()
        )
        again = f"crane rollback -s {stack} {digest[:12]}" if proven else f"{', '.join(consents)}, then run the same command again"
        return LiveError(f"stack {stack}", what, f"Promote a newer release. To take {digest[:12]} again on purpose: {again}")


def rolled_back(active: Mapping[str, Deployment], proofs: Sequence[Proof]) -> RolledBack | None:
    """The rollback that the stack has yet to agree with. ``active`` are the active deployments by worker, ``proofs`` those of the stack.

    A version that was put back and is the one that the stack deployed last is none: stack and account agree.
    """
    return last_rollback({name: made for name, made in active.items() if not _is_own(name, made, proofs)}, proofs)


def last_rollback(active: Mapping[str, Deployment], proofs: Sequence[Proof]) -> RolledBack | None:
    """The last rollback whose deployments are still active, also one to the release that the stack deployed last."""
    marks = {worker: seen for worker, made in active.items() if (seen := _release_of(worker, made, proofs))}
    if not marks:
        return None
    mark, proof = marks[max(marks, key=lambda worker: active[worker].made_on)]
    return RolledBack(proof, mark, {worker: active[worker] for worker, (_, other) in marks.items() if other.digest == proof.digest})


def settled(deployments: Sequence[Deployment]) -> Deployment | None:
    """The deployment that decided what serves: the active one (the first), or the one before candidates that were only tried beside its version."""
    if not deployments:
        return None
    before = next((made for made in deployments if (made.mark.purpose if made.mark else "") not in ("candidate", "abort")), None)
    serving = [version for version, share in deployments[0].shares.items() if share]
    return before if before and len(serving) == 1 and gives_all_traffic_to(before, serving[0]) else deployments[0]


def gives_all_traffic_to(made: Deployment, version: str) -> bool:
    """Whether a deployment gives all traffic to one version; others may stand in it at 0 %."""
    return {other: share for other, share in made.shares.items() if share} == {version: 100}


def _is_own(worker: str, made: Deployment, proofs: Sequence[Proof]) -> bool:
    """Whether a deployment serves what the stack deployed last. One that left an update which failed does not: the stack has that one."""
    mark, newest = read_mark(made.message), proofs[0] if proofs else None
    is_newest = newest is not None and worker in newest.workers and gives_all_traffic_to(made, newest.workers[worker].version)
    return is_newest and not (mark and mark.left)


def _release_of(worker: str, made: Deployment, proofs: Sequence[Proof]) -> tuple[Mark, Proof] | None:
    mark = read_mark(made.message)
    if mark is None or mark.purpose != "rollback":
        return None
    named = (proof for proof in proofs if mark.is_of(proof.digest) and worker in proof.workers)
    proof = next((proof for proof in named if gives_all_traffic_to(made, proof.workers[worker].version)), None)
    return (mark, proof) if proof else None


def _moment(made_on: str) -> str:
    return f"{made_on[:10]} {made_on[11:16]} UTC" if len(made_on) >= len("2026-01-01T00:00") else made_on
