"""A proof: what staging exports once a release passed there. Its shape, and the list of the last twenty. Pure.

A proof says what was seen. Prevents a list of proofs from growing without end, and a clock from showing up as a change.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter

from crane_infra.model import Frozen

PROOF_SCHEMA = 1
KEPT = 20


class ProvenHead(Frozen):
    """Where a ledger stood: its last migration, how many there were, and a digest over names and contents."""

    name: str | None = None
    count: Annotated[int, Field(ge=0)]
    digest: str


class ProvenWorker(Frozen):
    """The version that served all traffic of a script."""

    script: str
    version: str
    tag: str


class ProvenDatabase(Frozen):
    """A database and the head of its ledger."""

    id: str
    name: str
    head: ProvenHead


class Proof(Frozen):
    """One release, seen live in one environment, with every check passed."""

    proof_schema: int = Field(alias="schema")
    project: str
    environment: str
    account: str
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    manifest: dict[str, Any]
    workers: dict[str, ProvenWorker]
    databases: dict[str, ProvenDatabase]
    checks: dict[str, tuple[str, ...]]
    commit: str | None = None
    proven_at: AwareDatetime
    versions: dict[str, str]
    """Of the engine's SDK and the provider."""


PROOFS: TypeAdapter[tuple[Proof, ...]] = TypeAdapter(tuple[Proof, ...])

# What may differ between two proofs of one and the same state.
_INCIDENTAL = {"commit", "proven_at", "versions"}


def as_json(proof: Proof) -> dict[str, Any]:
    """A proof as a stack exports it: without what is None, which Pulumi drops on the way to the state."""
    return proof.model_dump(mode="json", by_alias=True, exclude_none=True)


def extended(history: list[dict[str, Any]], seen: Proof) -> list[dict[str, Any]]:
    """The list of proofs with ``seen`` in front; unchanged where the newest one says the same but for clock and commit."""
    new = as_json(seen)
    if history and _essence(history[0]) == _essence(new):
        return history
    return [new, *history][:KEPT]


def _essence(proof: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in proof.items() if key not in _INCIDENTAL}
