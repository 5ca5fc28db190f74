"""The outputs of a stack as one typed value: its workers and databases, and what it has proven. Pure.

They are the outputs of the last release that passed; a run that failed later did not change them. A part of another type is an error and
never counts as absent: a stack whose workers cannot be read would look like one that never had any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crane_infra.config.script_settings import ScriptSettings
from crane_infra.errors import SettingsError
from crane_infra.frozen import first_fault
from crane_infra.migrations.ledger import Ledger, LedgerEntry
from crane_infra.release.exported import HISTORY, RESTORE, SEEDS_DUE, as_recorded, plain_outputs
from crane_infra.release.proof import Proof, newest_fault, proofs_in


class _Output(BaseModel):
    """A part of what a stack exported; what another version exports besides is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True, defer_build=True)


class DatabaseOutput(_Output):
    """A database as the stack exported it."""

    name: str = ""
    id: str = ""
    adopted: bool = False
    read_replication: Annotated[str | None, Field(alias="read-replication")] = None
    """None: the stack does not declare it."""


class SentMigrations(_Output):
    """The Durable Object migrations that a version carried: the tag before and after, and a digest of everything else that makes the version."""

    old: Annotated[str | None, Field(alias="from")] = None
    new: Annotated[str, Field(alias="to")]
    upload: str

    @property
    def form(self) -> dict[str, str]:
        """As a stack exports it."""
        return self.model_dump(by_alias=True, exclude_none=True)


class WorkerOutput(_Output):
    """A worker as the stack exported it. ``crons`` None: this stack never declared schedules for it."""

    script: str = ""
    url: str | None = None
    adopted: bool = False
    variables: Mapping[str, str] = {}
    services: Mapping[str, str | Mapping[str, str]] = {}
    bindings: Mapping[str, str | Mapping[str, str]] = {}
    """What it binds in this environment alone, by binding."""
    class_migrations: Annotated[SentMigrations | None, Field(alias="class-migrations")] = None
    """The Durable Object migrations that its version carried, if it did."""
    crons: tuple[str, ...] | None = None
    replaced_deployment: Annotated[str | None, Field(alias="uploaded-anew-for")] = None
    """The manual deployment that made this stack upload the version again, if there was one."""
    settings: Mapping[str, Any] | None = None
    """The declared settings of the script, with the names of Cloudflare's API. None: no others than every worker has."""
    settings_returned: Annotated[str | None, Field(alias="settings-returned")] = None
    """When this stack last set them back, if it ever did."""

    @property
    def declared(self) -> Mapping[str, Any]:
        """The declared settings of the script, also where they are those of every worker."""
        return ScriptSettings().declared if self.settings is None else self.settings


class _Environment(_Output):
    workers: Mapping[str, WorkerOutput] = {}
    databases: Mapping[str, DatabaseOutput] = {}
    secrets: Mapping[str, str] = {}


class _Exported(_Output):
    environment: _Environment = _Environment()
    seeds_due: Annotated[Mapping[str, str], Field(alias=SEEDS_DUE)] = {}


@dataclass(frozen=True)
class StackOutputs:
    """The last outputs of a stack. ``proofs`` are those that can be read, newest first; ``raw`` is all of it in plain form (exported.py)."""

    workers: Mapping[str, WorkerOutput] = field(default_factory=dict)
    databases: Mapping[str, DatabaseOutput] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    proofs: tuple[Proof, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    history: str = ""
    """The text in which the stack exported its proofs; empty where it exported none, or a version before exported them."""
    exists: bool = True
    """False if there is no such stack."""
    seeds_due: Mapping[str, str] = field(default_factory=dict)
    """When this stack last ran seeds of a database, by its name."""

    @property
    def newest(self) -> Proof | None:
        """The newest proof."""
        return self.proofs[0] if self.proofs else None

    def database_id(self, name: str) -> str | None:
        """The id of a database that the stack has."""
        return (self.databases[name].id or None) if name in self.databases else None

    @property
    def recorded(self) -> dict[str, Any]:
        """What the release step of the stack holds, as this version records it."""
        return as_recorded({**self.raw, "proofs": self.history or self.raw.get("proofs")})

    @property
    def declared(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The databases and workers that the stack declared last, as plain mappings."""
        return {
            "databases": {name: database.model_dump() for name, database in self.databases.items()},
            "workers": {name: worker.model_dump() for name, worker in self.workers.items()},
        }

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest of the newest release; empty if there is none."""
        return self.proofs[0].manifest if self.proofs else {}

    def require_newest(self, stack: str) -> None:
        """Make sure that ``proofs`` begins with what the stack deployed last. Raises SettingsError if its newest proof cannot be read."""
        if fault := newest_fault(self.raw):
            raise SettingsError(f"stack {stack}", f"its newest proof cannot be read ({fault})", RESTORE)

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


def read_outputs(raw: Mapping[str, Any] | None, stack: str = "") -> StackOutputs:
    """Read the outputs that Pulumi returned for ``stack``; None means that there is no such stack.

    Raises SettingsError if a part has another form or type than any version exports. Single proofs that cannot be read are left out
    (``StackOutputs.require_newest``, and the gate says which).
    """
    plain = plain_outputs(raw or {}, stack)
    try:
        exported = _Exported.model_validate(plain)
    except ValidationError as error:
        raise SettingsError(f"stack {stack}".strip(), f"its outputs cannot be read ({': '.join(first_fault(error))})", RESTORE) from None
    environment = exported.environment
    text = str((raw or {}).get(HISTORY, ""))
    parts = (environment.workers, environment.databases, environment.secrets, proofs_in(plain))
    return StackOutputs(*parts, raw=plain, history=text, exists=raw is not None, seeds_due=exported.seeds_due)


def ledger_of(migrations: Mapping[str, str]) -> Ledger:
    """A ledger in which these migrations, sha256 by name, were applied."""
    done = {"origin": "applied", "token": "", "started_at": "", "done_at": ""}
    entries = (LedgerEntry(name, listed=True, sha256=sha256, **done) for name, sha256 in migrations.items())  # type: ignore[arg-type]
    return Ledger(tuple(entries), populated=bool(migrations), ready=True)


def migrations_in(listed: object) -> dict[str, str]:
    """The sha256 by name from migrations as manifests list them, and as schema records have them by name; they had such a list before."""
    if isinstance(listed, Mapping):
        return {str(name): str(sha256) for name, sha256 in listed.items()}
    entries = listed if isinstance(listed, list) else []
    return {str(entry["name"]): str(entry["sha256"]) for entry in entries if isinstance(entry, dict) and {"name", "sha256"} <= entry.keys()}


def _migrations(proof: Proof, database: str) -> dict[str, str]:
    return migrations_in(_map(_map(proof.manifest.get("databases")).get(database)).get("migrations"))


def _map(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
