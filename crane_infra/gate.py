"""The gate: staging's exported proofs in, a verdict out. Pure; program.py reads the one and acts on the other.

Absent, unknown, malformed: closed, with one line that says why. Prevents production from taking what staging has not proven.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from crane_infra.errors import GateError
from crane_infra.model import first_fault
from crane_infra.proof import PROOF_SCHEMA, PROOFS, Proof

# Clocks of two machines that promote and prove may differ by this much.
CLOCK_SKEW = timedelta(minutes=5)
PROVE = "Run pulumi up -s staging with the same files, then try again"


@dataclass(frozen=True)
class Wanted:
    """The release that production is to take, and what its proof must be like."""

    digest: str
    project: str
    account: str
    proven_in: str
    max_age: timedelta | None = None


@dataclass(frozen=True)
class Verdict:
    """Open with a proof, or closed with a reason and the way on. ``newest``: no later release was proven since."""

    proof: Proof | None
    reason: str
    todo: str = PROVE
    newest: bool = False

    @property
    def is_open(self) -> bool:
        """Whether production may take the release."""
        return self.proof is not None

    def error(self) -> GateError:
        """The refusal as an error."""
        return GateError("production gate closed", self.reason, self.todo)


def judge(outputs: Mapping[str, Any] | None, wanted: Wanted, now: datetime) -> Verdict:
    """The verdict on a release, from the outputs of the stack that proves (None: there is no such stack)."""
    if outputs is None:
        return Verdict(None, f"there is no stack {wanted.proven_in}")
    if not outputs.get("proofs"):
        return Verdict(None, f"{wanted.proven_in} has not proven any release")
    try:
        proofs = PROOFS.validate_python(outputs["proofs"])
    except ValidationError as error:
        path, what = first_fault(error)
        return Verdict(None, f"the proofs of {wanted.proven_in} cannot be read ({path or 'proofs'}: {what})")
    found = next((proof for proof in proofs if proof.digest == wanted.digest), None)
    if found is None:
        return Verdict(
            None, f"release {wanted.digest[:12]} is not proven by {wanted.proven_in}, whose newest proof is {proofs[0].digest[:12]}"
        )
    if objection := _objection(found, wanted, now):
        return Verdict(None, f"the proof of release {wanted.digest[:12]} {objection}")
    return Verdict(
        found,
        f"release {wanted.digest[:12]} was proven by {wanted.proven_in} at {found.proven_at:%Y-%m-%d %H:%M} UTC",
        "",
        found is proofs[0],
    )


def _objection(proof: Proof, wanted: Wanted, now: datetime) -> str | None:
    objections = {
        f"has schema {proof.proof_schema}, this program reads {PROOF_SCHEMA}": proof.proof_schema != PROOF_SCHEMA,
        f"is of project {proof.project}, not {wanted.project}": proof.project != wanted.project,
        f"is of environment {proof.environment}, not staging": proof.environment != "staging",
        f"is of account {proof.account}, not {wanted.account}": proof.account != wanted.account,
        f"is dated in the future ({proof.proven_at:%Y-%m-%d %H:%M} UTC)": proof.proven_at > now + CLOCK_SKEW,
        f"is older than {wanted.max_age}": wanted.max_age is not None and proof.proven_at < now - wanted.max_age,
    }
    return next((text for text, holds in objections.items() if holds), None)
