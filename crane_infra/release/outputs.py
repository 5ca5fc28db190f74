"""The outputs of a stack as one typed value: its workers and databases, and what it has proven. Pure.

They are the outputs of the last release that passed; a run that failed later did not change them. A part that cannot be read counts as
absent, so the state of another version never causes a traceback.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from crane_infra.config.script_settings import ScriptSettings
from crane_infra.migrations.ledger import Ledger, LedgerEntry
from crane_infra.release.proof import Proof, readable


@dataclass(frozen=True)
class DatabaseOutput:
    """A database as the stack exported it."""

    name: str
    id: str
    adopted: bool
    read_replication: str | None = None
    """None: the stack does not declare it."""


@dataclass(frozen=True)
class WorkerOutput:
    """A worker as the stack exported it. ``crons`` None: this stack never declared schedules for it."""

    script: str
    url: str | None
    adopted: bool
    variables: Mapping[str, str]
    services: Mapping[str, str]
    crons: tuple[str, ...] | None
    replaced_deployment: str | None
    """The manual deployment that made this stack upload the version again, if there was one."""
    settings: Mapping[str, Any] | None = None
    """The declared settings of the script, with the names of Cloudflare's API. None: no others than every worker has."""
    settings_returned: str | None = None
    """When this stack last set them back, if it ever did."""

    @property
    def declared(self) -> Mapping[str, Any]:
        """The declared settings of the script, also where they are those of every worker."""
        return ScriptSettings().declared if self.settings is None else self.settings


@dataclass(frozen=True)
class StackOutputs:
    """The last outputs of a stack. ``proofs`` are those that can be read, newest first; ``raw`` is what Pulumi returned."""

    workers: Mapping[str, WorkerOutput] = field(default_factory=dict)
    databases: Mapping[str, DatabaseOutput] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    proofs: tuple[Proof, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    exists: bool = True
    """False if there is no such stack."""

    @property
    def newest(self) -> Proof | None:
        """The newest proof."""
        return self.proofs[0] if self.proofs else None

    def database_id(self, name: str) -> str | None:
        """The id of a database that the stack has."""
        return (self.databases[name].id or None) if name in self.databases else None

    @property
    def declared(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The databases and workers that the stack declared last, as plain mappings."""
        return {
            "databases": {name: asdict(database) for name, database in self.databases.items()},
            "workers": {name: asdict(worker) for name, worker in self.workers.items()},
        }

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest of the newest release; empty if there is none."""
        return self.proofs[0].manifest if self.proofs else {}

    def worker_manifest(self, name: str) -> Mapping[str, Any]:
        """A worker in the manifest; empty if it has none of this name."""
        return _map(_map(self.manifest.get("workers")).get(name))

    def migrations(self, database: str) -> Mapping[str, str]:
        """The migrations of a database in the newest release: sha256 by name."""
        return _migrations(self.proofs[0], database) if self.proofs else {}

    def ledger(self, database: str) -> Ledger:
        """The ledger that a database had after the last release, as far as the proofs list it."""
        head = next((proof.databases[database].head for proof in self.proofs if database in proof.databases), None)
        releases = [_migrations(proof, database) for proof in self.proofs]
        newest = releases[0] if releases else {}
        if head is None or head.count == len(newest):
            return ledger_of(newest)
        # After a rollback the database is ahead of its release; older proofs list its other migrations.
        return ledger_of({name: sha256 for release in reversed(releases) for name, sha256 in release.items()})


def read_outputs(raw: Mapping[str, Any] | None) -> StackOutputs:
    """Read the outputs that Pulumi returned for a stack; None means that there is no such stack."""
    environment = _map((raw or {}).get("environment"))
    proofs = (raw or {}).get("proofs")
    return StackOutputs(
        workers={str(name): _worker(_map(worker)) for name, worker in _map(environment.get("workers")).items()},
        databases={str(name): _database(_map(database)) for name, database in _map(environment.get("databases")).items()},
        fingerprints={str(name): str(fingerprint) for name, fingerprint in _map(environment.get("secrets")).items()},
        proofs=tuple(proof for entry in (proofs if isinstance(proofs, list) else []) if (proof := readable(entry))),
        raw=raw or {},
        exists=raw is not None,
    )


def ledger_of(migrations: Mapping[str, str]) -> Ledger:
    """A ledger in which these migrations, sha256 by name, were applied."""
    done = {"origin": "applied", "token": "", "started_at": "", "done_at": ""}
    entries = (LedgerEntry(name, listed=True, sha256=sha256, **done) for name, sha256 in migrations.items())  # type: ignore[arg-type]
    return Ledger(tuple(entries), populated=bool(migrations), ready=True)


def migrations_in(listed: object) -> dict[str, str]:
    """The sha256 by name from a list of migrations, as manifests and schema records contain it."""
    entries = listed if isinstance(listed, list) else []
    return {str(entry["name"]): str(entry["sha256"]) for entry in entries if isinstance(entry, dict) and {"name", "sha256"} <= entry.keys()}


def _worker(exported: Mapping[str, Any]) -> WorkerOutput:
    crons, mark = exported.get("crons"), exported.get("uploaded-anew-for")
    return WorkerOutput(
        script=str(exported.get("script") or ""),
        url=_text(exported.get("url")),
        adopted=bool(exported.get("adopted")),
        variables={str(name): str(value) for name, value in _map(exported.get("variables")).items()},
        services={str(name): str(service) for name, service in _map(exported.get("services")).items()},
        crons=tuple(map(str, crons)) if isinstance(crons, list | tuple) else None,
        replaced_deployment=_text(mark),
        settings=_map(exported["settings"]) if "settings" in exported else None,
        settings_returned=_text(exported.get("settings-returned")),
    )


def _database(exported: Mapping[str, Any]) -> DatabaseOutput:
    return DatabaseOutput(
        str(exported.get("name") or ""),
        str(exported.get("id") or ""),
        bool(exported.get("adopted")),
        _text(exported.get("read-replication")),
    )


def _migrations(proof: Proof, database: str) -> dict[str, str]:
    return migrations_in(_map(_map(proof.manifest.get("databases")).get(database)).get("migrations"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _map(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
