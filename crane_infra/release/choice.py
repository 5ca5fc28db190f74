"""Which proven release is meant: the newest, the one with a digest, or that of a commit. Pure.

Prevents a promotion of a release that nobody can check out again, and a value from a state that is more than a digest or a commit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.errors import GateError
from crane_infra.release.proof import Proof, readable

CHANGED = "+changes"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Choice:
    """What is asked for; without a digest and a commit it is the newest proof."""

    stack: str
    digest: str = ""
    """The digest or its beginning."""
    commit: str = ""
    may_have_changes: bool = False
    """Whether its files may have differed from its commit."""


def chosen(outputs: Mapping[str, Any], choice: Choice) -> Proof:
    """The proof that is asked for, from the outputs of its stack; its commit is one that can be checked out, without ``+changes``.

    Raises GateError where there is none, or where its files are in no commit.
    """
    proofs = [proof for entry in outputs.get("proofs") or [] if (proof := readable(entry))]
    if not proofs:
        raise GateError(f"stack {choice.stack}", "has not proven any release", f"Run pulumi up -s {choice.stack}")
    found = next((proof for proof in proofs if _is_meant(proof, choice)), None)
    if found is None:
        asked = " ".join(filter(None, (choice.digest and f"release {choice.digest[:12]}", choice.commit and f"commit {choice.commit}")))
        known = ", ".join(proof.digest[:12] for proof in proofs[:3])
        raise GateError(f"stack {choice.stack}", f"has not proven {asked}; its newest proofs are {known}", "Deploy it there first")
    return found.model_copy(update={"commit": _commit(found, choice)})


def _is_meant(proof: Proof, choice: Choice) -> bool:
    commit = (proof.commit or "").removesuffix(CHANGED)
    return proof.digest.startswith(choice.digest) and choice.commit in ("", commit)


def _commit(proof: Proof, choice: Choice) -> str:
    where, again = f"release {proof.digest[:12]}", f"Commit the files and run pulumi up -s {choice.stack} from them"
    commit = (proof.commit or "").removesuffix(CHANGED)
    if not _COMMIT.fullmatch(commit):
        raise GateError(where, f"the proof of stack {choice.stack} names no commit", again)
    if proof.commit != commit and not choice.may_have_changes:
        raise GateError(where, f"was deployed to {choice.stack} from files that differ from commit {commit}", again)
    return commit
