"""A proof: what a stack exports after a release passed there. A stack keeps the last twenty. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationError

from crane_infra.frozen import Frozen, first_fault
from crane_infra.release.manifest_shape import require_manifest

PROOF_SCHEMA = 1
KEPT = 20
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of the machine that proves may be ahead of that of a machine that reads the proof."""


def _no_number(moment: object) -> object:
    """Pydantic would take any number for a date: so many seconds after 1970."""
    if isinstance(moment, int | float):
        message = "is not a date"
        raise ValueError(message)  # noqa: TRY004 - pydantic only catches this one
    return moment


Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class ProvenHead(Frozen):
    """The head of a ledger: its last migration, the number of migrations, and a digest over their names and contents."""

    name: str | None = None
    count: Annotated[int, Field(ge=0, le=1_000_000)]
    digest: str


class ProvenWorker(Frozen):
    """The version that served all traffic of a worker; ``script`` is the worker's name at Cloudflare."""

    script: str
    version: str
    tag: str
    secrets: dict[str, Fingerprint] | None = None
    """The fingerprint of each secret of the version by its binding; None in a proof that a version before wrote."""
    crons: tuple[str, ...] | None = None
    """The declared schedules; None: the stack declared none, or a version before wrote the proof."""


class ProvenDatabase(Frozen):
    """A database and the head of its ledger."""

    id: str
    name: str
    head: ProvenHead


class Seal(Frozen):
    """The signature of a proof, in base64, and the id of the key that signed it."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]


class Proof(Frozen):
    """One release that was live in one environment and passed every check."""

    proof_schema: int = Field(alias="schema")
    project: str
    environment: str
    account: str
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    manifest: Annotated[dict[str, Any], AfterValidator(require_manifest)]
    workers: dict[str, ProvenWorker]
    databases: dict[str, ProvenDatabase]
    checks: dict[str, tuple[str, ...]]
    commit: str | None = None
    proven_at: Annotated[AwareDatetime, BeforeValidator(_no_number)]
    versions: dict[str, str]
    """Of the engine's SDK and the provider."""
    fingerprint_key: Fingerprint | None = None
    """The fingerprint of the key with which those of the secrets are made: under another key they cannot be compared."""
    previous: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    """The name of the proof before it (``statement.name_of``), in a stack that signs its proofs."""
    seal: Seal | None = None


# These fields may differ between two proofs of the same state.
_INCIDENTAL = {"commit", "proven_at", "versions", "previous", "seal"}


def as_json(proof: Proof) -> dict[str, Any]:
    """A proof as a stack exports it: without None values, which Pulumi does not keep in the state."""
    return proof.model_dump(mode="json", by_alias=True, exclude_none=True)


def readable(entry: object) -> Proof | None:
    """The proof in an exported entry; None if this version cannot read it."""
    try:
        return Proof.model_validate(entry)
    except ValidationError:
        return None


def versions_in(proofs: Iterable[Proof], worker: str) -> frozenset[str]:
    """The versions of a worker that proofs name."""
    return frozenset(proof.workers[worker].version for proof in proofs if worker in proof.workers)


def proofs_in(outputs: Mapping[str, Any] | None) -> tuple[Proof, ...]:
    """The proofs that a stack exported, newest first; those that this version cannot read are left out."""
    return tuple(proof for entry in _entries(outputs) if (proof := readable(entry)))


def unreadable_in(outputs: Mapping[str, Any] | None) -> int:
    """How many of the proofs that a stack exported this version cannot read."""
    return sum(readable(entry) is None for entry in _entries(outputs))


def newest_fault(outputs: Mapping[str, Any] | None) -> str | None:
    """Why the newest proof of a stack cannot be read, though there is one; None if it can. An older one is not what the stack deployed last."""
    entries = _entries(outputs)
    if not entries:
        return "proofs: is not a list of proofs" if (outputs or {}).get("proofs") else None
    try:
        Proof.model_validate(entries[0])
    except ValidationError as error:
        return ": ".join(filter(None, first_fault(error)))
    return None


def _entries(outputs: Mapping[str, Any] | None) -> list[object]:
    listed = (outputs or {}).get("proofs")
    return listed if isinstance(listed, list) else []


class Sealer(Protocol):
    """What seals the proofs of a stack: see ``seal.py``."""

    @property
    def id(self) -> str:
        """The id of its key."""

    def sealed(self, proof: Proof, before: Proof | None) -> Proof:
        """The proof, sealed, where ``before`` is the one before it."""


def extended(
    history: Sequence[object], seen: Proof, renew_after: timedelta | None = None, seal: Sealer | None = None
) -> list[dict[str, Any]]:
    """The list of proofs with ``seen`` in front. If only time, commit or versions differ from the newest proof, the list stays as it is.

    With ``renew_after``, a newest proof older than that is replaced even so. With ``seal`` each new proof is sealed, and a newest one that is not,
    or by another key, is replaced. Entries that cannot be read are dropped.
    """
    kept = [proof for proof in map(readable, history) if proof]
    newest = kept[0] if kept else None
    if (
        newest
        and _essence(newest) == _essence(_as_recorded(seen, newest))
        and not _is_old(newest, seen, renew_after)
        and _is_sealed_as(newest, seal)
    ):
        return list(map(as_json, kept))
    return list(map(as_json, [seal.sealed(seen, newest) if seal else seen, *kept][:KEPT]))


def _is_sealed_as(newest: Proof, seal: Sealer | None) -> bool:
    return seal is None or (newest.seal is not None and newest.seal.key == seal.id)


def _is_old(newest: Proof, seen: Proof, renew_after: timedelta | None) -> bool:
    age = seen.proven_at - newest.proven_at
    # A clock that was ahead dated it in the future, so that no gate takes it.
    return age < -CLOCK_SKEW or (renew_after is not None and age > renew_after)


def _as_recorded(seen: Proof, newest: Proof) -> Proof:
    """What was seen, without what the version that wrote the newest proof did not record: that alone is no change."""
    workers = {
        name: worker
        if name not in newest.workers or newest.workers[name].secrets is not None
        else worker.model_copy(update={"secrets": None, "crons": None})
        for name, worker in seen.workers.items()
    }
    return seen.model_copy(update={"workers": workers, **({} if newest.fingerprint_key else {"fingerprint_key": None})})


def _essence(proof: Proof) -> dict[str, Any]:
    return {key: value for key, value in as_json(proof).items() if key not in _INCIDENTAL}
