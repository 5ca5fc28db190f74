"""The gate: decides from the outputs of both stacks whether production may take a release. Pure.

``program/announce/gate.py`` asks it before the first resource, ``live/promotion.py`` again before traffic. A proof that is absent, cannot be
read or is for something else keeps the gate closed, with one line that says why. So does a release that is older than the one that production
runs, unless ``rollback-to`` names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from crane_infra.config.settings import Settings
from crane_infra.errors import GateError
from crane_infra.frozen import first_fault
from crane_infra.release.manifest import Release
from crane_infra.release.order import is_older, running
from crane_infra.release.proof import CLOCK_SKEW, PROOF_SCHEMA, Proof, readable
from crane_infra.release.seal import RENEW, broken_seal

PROVE = "Run pulumi up -s staging with the same files, then try again"
UNSIGNED = "proofs are not signed, so whoever can write the state of staging can open this gate. docs/promotion.md says how to sign them"
GO_BACK = "tick rollback on GitHub, or run pulumi config set -s production rollback-to"


@dataclass(frozen=True)
class RequiredProof:
    """The proof that production needs to take a release.

    ``proven_in`` is the stack that proves; ``max_age`` None accepts a proof of any age.
    """

    digest: str
    project: str
    account: str
    proven_in: str
    manifest: Mapping[str, Any]
    max_age: timedelta | None = None
    keys: tuple[str, ...] = ()
    """The public keys that sign proofs; without any, proofs need no signature."""


class FutureProof(NamedTuple):
    """A proof that is dated in the future: ``name`` is what messages call it."""

    name: str
    proven_at: datetime


@dataclass(frozen=True)
class Verdict:
    """The gate's answer: open with a proof, or closed with a reason and what to do.

    ``newest``: it is the last release that was proven. ``older`` are the proofs before that one, as far as they can be read. ``note`` is what
    whoever approves an open gate should know; mostly empty. ``risk`` is what no gate can see as it is set up. ``future`` is the proof that
    closes the gate by its date (``clocks.py``).
    """

    proof: Proof | None
    reason: str
    todo: str = PROVE
    newest: bool = False
    older: tuple[Proof, ...] = ()
    note: str = ""
    risk: str = ""
    future: FutureProof | None = None

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


def judge(outputs: Mapping[str, Any] | None, required: RequiredProof, now: datetime) -> Verdict:
    """The verdict on a release at the time ``now``. ``outputs`` are those of the stack that proves; None means that there is no such stack."""
    if outputs is None:
        return Verdict(None, f"there is no stack {required.proven_in}")
    if not outputs.get("proofs"):
        return Verdict(None, f"{required.proven_in} has not proven any release")
    proofs = outputs["proofs"]
    if not isinstance(proofs, list) or not all(isinstance(entry, dict) for entry in proofs):
        return Verdict(None, f"the proofs of {required.proven_in} cannot be read (proofs: is not a list of proofs)")
    matching = next((entry for entry in proofs if entry.get("digest") == required.digest), None)
    if matching is None:
        digest = proofs[0].get("digest")
        last = digest[:12] if isinstance(digest, str) else "of unknown digest"
        return Verdict(None, f"release {required.digest[:12]} is not proven by {required.proven_in}, whose newest proof is {last}")
    verdict = _judge_proof(matching, required, now)
    if verdict.is_open:
        verdict = _with_seals(verdict, proofs[: proofs.index(matching) + 2], required)
    newest = verdict.is_open and matching is proofs[0]
    return replace(verdict, newest=newest, older=tuple(filter(None, map(readable, proofs[1:] if newest else ()))))


def _judge_proof(entry: Mapping[str, Any], required: RequiredProof, now: datetime) -> Verdict:
    name = f"the proof of release {required.digest[:12]}"
    try:
        proof = Proof.model_validate(entry)
    except ValidationError as error:
        path, what = first_fault(error)
        return Verdict(None, f"{name} cannot be read ({path}: {what})")
    if objection := _objection(proof, required, now):
        future = FutureProof(name, proof.proven_at) if proof.proven_at > now + CLOCK_SKEW else None
        return Verdict(None, f"{name} {objection}", future=future)
    reason = f"release {required.digest[:12]} was proven by {required.proven_in} at {proof.proven_at:%Y-%m-%d %H:%M} UTC"
    return Verdict(proof, reason, "")


def _with_seals(verdict: Verdict, entries: Sequence[Mapping[str, Any]], required: RequiredProof) -> Verdict:
    """An open gate closes where a proof is not signed as the settings ask; ``entries`` end with the matching proof and the one before it."""
    if not required.keys:
        return replace(verdict, risk=UNSIGNED)
    fault = broken_seal([proof for entry in entries if (proof := readable(entry))], required.digest, required.keys)
    return Verdict(None, fault, RENEW) if fault else verdict


def _objection(proof: Proof, required: RequiredProof, now: datetime) -> str | None:
    objections = {
        f"has schema {proof.proof_schema}, but this program reads schema {PROOF_SCHEMA}": proof.proof_schema != PROOF_SCHEMA,
        f"is for project {proof.project}, not {required.project}": proof.project != required.project,
        f"is for environment {proof.environment}, not staging": proof.environment != "staging",
        f"is for account {proof.account}, not {required.account}": proof.account != required.account,
        "is for a different manifest": proof.manifest != required.manifest,
        "does not list every worker with its digest, and every database": not _is_complete(proof),
        (
            f"is dated in the future: it says {proof.proven_at:%Y-%m-%d %H:%M} UTC and the clock here {now:%Y-%m-%d %H:%M} UTC, so either the "
            "clock of the machine that proved it was ahead or this one is behind"
        ): proof.proven_at > now + CLOCK_SKEW,
        f"is older than {_in_days(required.max_age)}": required.max_age is not None and proof.proven_at < now - required.max_age,
    }
    return next((text for text, holds in objections.items() if holds), None)


def _in_days(age: timedelta | None) -> str:
    days = age.days if age else 0
    return f"{days} day" if days == 1 else f"{days} days"


def _is_complete(proof: Proof) -> bool:
    """Whether the proof lists every worker and database of its manifest."""
    digests = {name: worker["digest"] for name, worker in proof.manifest.get("workers", {}).items()}
    tags = {name: worker.tag for name, worker in proof.workers.items()}
    return tags == digests and set(proof.databases) == set(proof.manifest.get("databases", {}))


def verdict_for(
    settings: Settings,
    release: Release,
    staging: Mapping[str, Any] | None,
    production: Mapping[str, Any] | None,
    now: datetime | None = None,
) -> Verdict:
    """The verdict on a release, under the settings of production.

    ``staging`` and ``production`` are the outputs of the stacks; None means that there is no such stack, or none that is known.
    """
    days = settings.proof_max_age_days
    required = RequiredProof(
        digest=release.digest,
        project=settings.project,
        account=settings.account_id,
        proven_in="staging",
        manifest=release.manifest,
        max_age=timedelta(days=days) if days else None,
        keys=settings.proof_keys,
    )
    verdict = judge(staging, required, now or datetime.now(UTC))
    is_meant = settings.rollback_to is not None and release.digest.startswith(settings.rollback_to)
    return _with_direction(verdict, release.digest, staging, production, is_meant=is_meant)


def _with_direction(
    verdict: Verdict, digest: str, staging: Mapping[str, Any] | None, production: Mapping[str, Any] | None, *, is_meant: bool
) -> Verdict:
    """An open gate closes for a release that is older than the one that production runs, unless that is meant."""
    runs = running(production)
    if not verdict.is_open or runs is None or runs == digest:
        return verdict
    older = is_older(digest, runs, staging, production)
    if older is None:
        return replace(
            verdict, note=f"production runs release {runs[:12]}, which staging does not know: it may be newer than {digest[:12]}"
        )
    newer = f"production runs a newer release, {runs[:12]}"
    if older and not is_meant:
        todo = f"Promote a newer release. To go back on purpose, {GO_BACK} {digest[:12]}"
        return Verdict(None, f"{newer}, which was first proven after {digest[:12]}", todo)
    return replace(verdict, note=f"{newer}: this goes back to {digest[:12]}, as rollback-to says") if older else verdict
