"""The gate: staging's exported proofs in, a verdict out. Pure; program.py reads the one and acts on the other.

Absent, unknown, malformed: closed, with one line that says why. Prevents production from taking what staging has not proven.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from crane_infra.config.settings import Settings
from crane_infra.errors import GateError
from crane_infra.frozen import first_fault
from crane_infra.release.manifest import Release
from crane_infra.release.proof import PROOF_SCHEMA, Proof

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
    manifest: Mapping[str, Any]
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

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        return f"production gate open: {self.reason}" if self.is_open else str(self.error())

    def error(self) -> GateError:
        """The refusal as an error."""
        return GateError("production gate closed", self.reason, self.todo)


def judge(outputs: Mapping[str, Any] | None, wanted: Wanted, now: datetime) -> Verdict:
    """The verdict on a release, from the outputs of the stack that proves (None: there is no such stack)."""
    if outputs is None:
        return Verdict(None, f"there is no stack {wanted.proven_in}")
    if not outputs.get("proofs"):
        return Verdict(None, f"{wanted.proven_in} has not proven any release")
    proofs = outputs["proofs"]
    if not isinstance(proofs, list) or not all(isinstance(one, dict) for one in proofs):
        return Verdict(None, f"the proofs of {wanted.proven_in} cannot be read (proofs: is not a list of proofs)")
    found = next((entry for entry in proofs if entry.get("digest") == wanted.digest), None)
    if found is None:
        last = str(proofs[0].get("digest", "of unknown digest"))[:12]
        return Verdict(None, f"release {wanted.digest[:12]} is not proven by {wanted.proven_in}, whose newest proof is {last}")
    return _judge_proof(found, wanted, now, newest=found is proofs[0])


def _judge_proof(found: Mapping[str, Any], wanted: Wanted, now: datetime, *, newest: bool) -> Verdict:
    name = f"the proof of release {wanted.digest[:12]}"
    try:
        proof = Proof.model_validate(found)
    except ValidationError as error:
        path, what = first_fault(error)
        return Verdict(None, f"{name} cannot be read ({path}: {what})")
    if objection := _objection(proof, wanted, now):
        return Verdict(None, f"{name} {objection}")
    reason = f"release {wanted.digest[:12]} was proven by {wanted.proven_in} at {proof.proven_at:%Y-%m-%d %H:%M} UTC"
    return Verdict(proof, reason, "", newest)


def _objection(proof: Proof, wanted: Wanted, now: datetime) -> str | None:
    objections = {
        f"has schema {proof.proof_schema}, this program reads {PROOF_SCHEMA}": proof.proof_schema != PROOF_SCHEMA,
        f"is of project {proof.project}, not {wanted.project}": proof.project != wanted.project,
        f"is of environment {proof.environment}, not staging": proof.environment != "staging",
        f"is of account {proof.account}, not {wanted.account}": proof.account != wanted.account,
        "does not speak of this release's manifest": proof.manifest != wanted.manifest,
        "does not name each worker with its digest, and each database": not _is_complete(proof),
        f"is dated in the future ({proof.proven_at:%Y-%m-%d %H:%M} UTC)": proof.proven_at > now + CLOCK_SKEW,
        f"is older than {wanted.max_age}": wanted.max_age is not None and proof.proven_at < now - wanted.max_age,
    }
    return next((text for text, holds in objections.items() if holds), None)


def _is_complete(proof: Proof) -> bool:
    """Whether the proof says of every part of its manifest that it was seen."""
    workers = {name: one.get("digest") for name, one in (proof.manifest.get("workers") or {}).items()}
    return {name: one.tag for name, one in proof.workers.items()} == workers and set(proof.databases) == set(
        proof.manifest.get("databases") or {}
    )


def verdict_for(settings: Settings, release: Release, staging: Mapping[str, Any] | None, now: datetime | None = None) -> Verdict:
    """What the gate says of a release ``now``, from the outputs of the staging stack (None: there is no such stack)."""
    days = settings.proof_max_age_days
    wanted = Wanted(
        digest=release.digest,
        project=settings.project,
        account=settings.account_id,
        proven_in="staging",
        manifest=release.manifest,
        max_age=timedelta(days=days) if days else None,
    )
    return judge(staging, wanted, now or datetime.now(UTC))
