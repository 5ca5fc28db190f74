"""Seals proofs, and finds broken seals: each sealed proof names the one before it and is signed as a whole. Pure.

So a proof that somebody wrote, changed, moved or took out shows, whoever can write the state. The key that signs is a secret of staging;
production has only public keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from crane_infra.release.proof import Proof, Seal
from crane_infra.release.signature import SigningKey, is_signed_by, key_id
from crane_infra.release.statement import name_of, statement

RENEW = "Run pulumi up -s staging, which proves and signs it again"


@dataclass(frozen=True)
class KeySealer:
    """Seals proofs with a private key."""

    key: SigningKey

    @property
    def id(self) -> str:
        """The id of the key."""
        return self.key.id

    def sealed(self, proof: Proof, before: Proof | None) -> Proof:
        """The proof, with the name of the one before it, and signed."""
        linked = proof.model_copy(update={"previous": name_of(before) if before else None, "seal": None})
        return linked.model_copy(update={"seal": Seal(key=self.id, signature=self.key.sign(statement(linked)))})


def broken_seal(proofs: Sequence[Proof], digest: str, trusted: Sequence[str]) -> str | None:
    """Why the release ``digest`` is not proven by proofs that somebody with a trusted key wrote; None if it is.

    ``proofs`` are the newest one, those up to that of the release, and the one before it: a forged one among the newer ones counts too.
    """
    for proof in proofs:
        if fault := seal_fault(proof, trusted):
            return f"the proof of release {proof.digest[:12]} {fault}"
        if proof.digest == digest:
            break
    return chain_fault(proofs)


def seal_fault(proof: Proof, trusted: Sequence[str]) -> str | None:
    """What is wrong with the seal of a proof, where only the ``trusted`` public keys count; None if nothing is."""
    if proof.seal is None:
        return "is not signed"
    public = next((key for key in trusted if key_id(key) == proof.seal.key), None)
    if public is None:
        return f"is signed with key {proof.seal.key}, which production does not trust"
    if not is_signed_by(public, statement(proof), proof.seal.signature):
        return "was changed after it was signed, or its signature belongs to another proof"
    return None


def chain_fault(proofs: Sequence[Proof]) -> str | None:
    """Where a list of proofs, newest first, is not as its stack wrote it: one is missing, or they stand in another order."""
    for newer, older in pairwise(proofs):
        if newer.previous is None and older.seal is None:
            continue  # proofs from before the stack signed them
        if newer.previous != name_of(older):
            return (
                f"the proof of release {newer.digest[:12]} does not follow on that of {older.digest[:12]}: one was removed, added or moved"
            )
    return None
