"""Chooses a proven release: the newest, the one with a digest, or the one of a commit. Pure.

The commit of a chosen release can be checked out again, and it is a plain hash: workflows pass it to git.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.errors import GateError
from crane_infra.release.proof import Proof, newest_fault, proofs_in

CHANGED = "+changes"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Choice:
    """The proof to choose. Without a digest and a commit it is the newest one."""

    stack: str
    digest: str = ""
    """The digest, or its beginning."""
    commit: str = ""
    may_have_changes: bool = False
    """Whether a release is accepted whose files differed from its commit."""


def chosen(outputs: Mapping[str, Any], choice: Choice) -> Proof:
    """Choose a proof from the outputs of a stack. Its commit comes without ``+changes``.

    Raises GateError if there is no such proof, if the newest one cannot be read, if it has no commit, or if its files differed from its commit and ``choice`` does not
    accept that.
    """
    if not choice.digest and not choice.commit and (fault := newest_fault(outputs)):
        todo = "Use the version of crane-infra that wrote it, or name a release with --digest or --commit"
        raise GateError(f"stack {choice.stack}", f"its newest proof cannot be read ({fault})", todo)
    proofs = proofs_in(outputs)
    if not proofs:
        raise GateError(f"stack {choice.stack}", "has not proven any release", f"Run pulumi up -s {choice.stack}")
    matching = next((proof for proof in proofs if _matches(proof, choice)), None)
    if matching is None:
        asked = " ".join(filter(None, (choice.digest and f"release {choice.digest[:12]}", choice.commit and f"commit {choice.commit}")))
        known = ", ".join(proof.digest[:12] for proof in proofs[:3])
        raise GateError(f"stack {choice.stack}", f"has not proven {asked}; its newest proofs are {known}", "Deploy it there first")
    return matching.model_copy(update={"commit": _commit(matching, choice)})


def _matches(proof: Proof, choice: Choice) -> bool:
    commit = (proof.commit or "").removesuffix(CHANGED)
    return proof.digest.startswith(choice.digest) and choice.commit in ("", commit)


def _commit(proof: Proof, choice: Choice) -> str:
    where, again = f"release {proof.digest[:12]}", f"Commit the files and run pulumi up -s {choice.stack} from them"
    commit = (proof.commit or "").removesuffix(CHANGED)
    if not _COMMIT.fullmatch(commit):
        raise GateError(where, f"the proof of stack {choice.stack} has no commit", again)
    if proof.commit != commit and not choice.may_have_changes:
        raise GateError(where, f"was deployed to {choice.stack} from files that differ from commit {commit}", again)
    return commit
