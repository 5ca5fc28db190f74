"""Chooses the release that a rollback puts back: the one that is named, or the one that was proven before what serves. Pure.

The proofs are those of the stack itself, so each names versions that served all of its traffic and passed its checks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crane_infra.errors import LiveError
from crane_infra.live.account import Deployment
from crane_infra.live.rolled_back import gives_all_traffic_to, last_rollback
from crane_infra.release.order import numbers_of
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.proof import Proof

_BEGINNING = re.compile(r"[0-9a-f]{6,64}")
_SHOWN = 5


@dataclass(frozen=True)
class Target:
    """The proof whose versions are to serve again. ``serving`` is the release that serves now, None where it is none that the stack proved."""

    proof: Proof
    serving: Proof | None


def serving_proof(active: Mapping[str, Deployment], proofs: Sequence[Proof]) -> Proof | None:
    """The newest proof all of whose versions serve all traffic; ``active`` are the active deployments by worker."""
    return next((proof for proof in proofs if proof.workers and not moving(active, proof)), None)


def moving(active: Mapping[str, Deployment], proof: Proof) -> dict[str, str]:
    """The workers of a proof that serve something else, each with the version that the proof names."""
    return {
        name: worker.version
        for name, worker in proof.workers.items()
        if name not in active or not gives_all_traffic_to(active[name], worker.version)
    }


def choose(outputs: StackOutputs, active: Mapping[str, Deployment], serving: Proof | None, digest: str | None) -> Target:
    """Choose the release with this digest, or beginning of one; without, the last one that was proven before what serves.

    Where what serves is no proven release, that is the newest one, or the one of a rollback that did not come to its end. Raises LiveError.
    """
    if not outputs.proofs:
        raise LiveError("stack production", "has no release yet", "Run pulumi up -s production")
    if digest is not None:
        return Target(_named(outputs.proofs, digest), serving)
    if serving is None:
        unfinished = last_rollback(active, outputs.proofs)
        return Target(unfinished.proof if unfinished else outputs.proofs[0], None)
    numbers = numbers_of(outputs.raw)
    after = outputs.proofs[outputs.proofs.index(serving) + 1 :]
    before = next((proof for proof in after if numbers[proof.digest] < numbers[serving.digest]), None)
    if before is None:
        what = f"serves release {serving.digest[:12]}, and its outputs name no release that it proved before"
        raise LiveError("stack production", what, "Fix the code, prove it in staging and promote it")
    return Target(before, serving)


def _named(proofs: Sequence[Proof], digest: str) -> Proof:
    if not _BEGINNING.fullmatch(digest):
        raise LiveError(f"release {digest}", "is not the digest of a release", "Give at least its first 6 digits")
    named = [proof for proof in proofs if proof.digest.startswith(digest)]
    known = ", ".join(list(dict.fromkeys(proof.digest[:12] for proof in proofs))[:_SHOWN])
    if not named:
        raise LiveError(f"release {digest[:12]}", "is not among the releases that production proved", f"Name one of these: {known}")
    if len({proof.digest for proof in named}) > 1:
        raise LiveError(f"release {digest}", "begins several digests", f"Give more digits. Releases: {known}")
    return named[0]
