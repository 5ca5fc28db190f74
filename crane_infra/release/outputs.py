"""What a stack's last outputs say of it: what serves, under which settings, and which migrations each database has. Pure.

Outputs are of the last release that passed, so a run that failed since is not in them. Believes nothing about their shape: what cannot be
read counts as not there. Prevents a report that ends in a traceback because a stack was written by another version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.migrations.ledger import Ledger, LedgerEntry
from crane_infra.release.proof import Proof, readable


@dataclass(frozen=True)
class Recorded:
    """The last outputs, taken apart. ``proofs`` are the readable ones, newest first."""

    workers: Mapping[str, Mapping[str, Any]]
    databases: Mapping[str, Mapping[str, Any]]
    fingerprints: Mapping[str, str]
    proofs: tuple[Proof, ...]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """That of the newest release; empty where there is none."""
        return self.proofs[0].manifest if self.proofs else {}

    def worker(self, name: str) -> Mapping[str, Any]:
        """What the manifest says of a worker; empty where it has none of that name."""
        return _map(_map(self.manifest.get("workers")).get(name))

    def ledger(self, database: str) -> Ledger:
        """The ledger that a database had at the end of the last release, as far as the proofs list it."""
        head = next((proof.databases[database].head for proof in self.proofs if database in proof.databases), None)
        listed = [_migrations(proof, database) for proof in self.proofs]
        newest = listed[0] if listed else {}
        # After a rollback the database is ahead of its release; what it has besides stands in older proofs.
        held = (
            newest if head is None or head.count == len(newest) else {name: one for each in reversed(listed) for name, one in each.items()}
        )
        return ledger_of(held)


def recorded(outputs: Mapping[str, Any] | None) -> Recorded:
    """Take outputs apart; None and what is malformed count as a stack that never had a release."""
    environment = _map((outputs or {}).get("environment"))
    proofs = (outputs or {}).get("proofs")
    return Recorded(
        workers={str(name): _map(one) for name, one in _map(environment.get("workers")).items()},
        databases={str(name): _map(one) for name, one in _map(environment.get("databases")).items()},
        fingerprints={str(name): str(one) for name, one in _map(environment.get("secrets")).items()},
        proofs=tuple(proof for entry in (proofs if isinstance(proofs, list) else []) if (proof := readable(entry))),
    )


def ledger_of(held: Mapping[str, str]) -> Ledger:
    """A ledger in which these migrations, sha256 by name, are done."""
    done = {"origin": "applied", "token": "", "started_at": "", "done_at": ""}
    entries = (LedgerEntry(name, listed=True, sha256=sha256, **done) for name, sha256 in held.items())  # type: ignore[arg-type]
    return Ledger(tuple(entries), populated=bool(held), ready=True)


def _migrations(proof: Proof, database: str) -> dict[str, str]:
    listed = _map(_map(proof.manifest.get("databases")).get(database)).get("migrations")
    return migrations_in(listed)


def migrations_in(listed: object) -> dict[str, str]:
    """The sha256 by name of a list of migrations, as manifests and schema records have it."""
    entries = listed if isinstance(listed, list) else []
    return {str(one["name"]): str(one["sha256"]) for one in entries if isinstance(one, dict) and {"name", "sha256"} <= one.keys()}


def _map(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
