"""Reads what an environment is declared from: settings, files, secrets and the outputs of both stacks.

Registers nothing and asks Cloudflare nothing, so whatever is wrong here is refused before the first resource.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial

from crane_infra.checks.request import Target, faults_of
from crane_infra.checks.run import select
from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import neighbours, require_consistent, require_nothing_lost
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.services import called_first
from crane_infra.config.settings import KEY_NAME, Settings
from crane_infra.data.seeds.files import Seed
from crane_infra.data.seeds.of_catalog import seeds_of
from crane_infra.data.staging import database_ids
from crane_infra.errors import refuse
from crane_infra.live.trouble import trouble
from crane_infra.program.background import begin_call
from crane_infra.program.last_outputs import Asked
from crane_infra.program.provider import CloudflareAccount
from crane_infra.redact import Redactor
from crane_infra.release.manifest import Release, read_release
from crane_infra.release.origin import commit
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.rollback import require_meant
from crane_infra.release.signature import SigningKey
from crane_infra.release.staged import stage_release
from crane_infra.secrets.fingerprints import fingerprint, message_for
from crane_infra.secrets.marks import marks_in_use
from crane_infra.secrets.rules import different_faults, ended_marks, fetch, marks_of, require_same_key, shared_faults
from crane_infra.secrets.sources import fingerprint_key, signing_key, source_of


@dataclass(frozen=True)
class Prepared:
    """One environment, read and found consistent.

    ``secrets`` and ``fingerprints`` are by key; ``last`` are the stack's own last outputs, ``staging`` those of staging.
    """

    settings: Settings
    catalog: Catalog
    release: Release
    secrets: Mapping[str, str] = field(repr=False)
    fingerprints: Mapping[str, str]
    last: StackOutputs
    staging: StackOutputs
    redact: Redactor
    calls: Mapping[str, tuple[str, ...]]
    """The workers in the order of their deployment, each with the workers that it calls as services and waits for."""
    signing_key: SigningKey | None = field(default=None, repr=False)
    """What signs the proofs of this stack; None: they are not signed."""
    seeds: Mapping[str, tuple[Seed, ...]] = field(default_factory=dict)
    """The seeds of each database that has some, in staging."""
    others_databases: frozenset[str] = frozenset()
    """The ids of the databases of the other environment: no row of this run is written there."""
    asset_folders: Mapping[str, str] = field(default_factory=dict)
    """By worker, the folder from which the provider uploads its static assets."""
    marks: tuple[str, ...] = ()
    """A line for each distinct secret that both environments share for a while."""
    checked_out: Future[str | None] | None = field(default=None, repr=False)
    """The commit, asked of git meanwhile: in a large repository it may take seconds to say whether files differ. None: asked when it is due."""

    @cached_property
    def account(self) -> CloudflareAccount:
        """The account of all resources."""
        return CloudflareAccount(self.settings.account_id, partial(trouble, self.settings), self.redact)

    @property
    def commit(self) -> str | None:
        """The commit that the files come from, as ``release/origin.py`` says it."""
        return self.checked_out.result() if self.checked_out else commit(self.settings.root)

    def secrets_of(self, worker: str) -> dict[str, str]:
        """The secret values of a worker by binding; an optional one that is not set is left out."""
        declared = self.catalog.workers[worker].secrets
        return {secret.binding: self.secrets[secret.key] for secret in declared if secret.key in self.secrets}

    def upload_message(self, worker: str) -> str:
        """The message of a worker's version: a fingerprint of its secrets, which nobody can read back (docs/decisions/0027)."""
        return message_for(self.fingerprints_of(worker))

    def fingerprints_of(self, worker: str) -> dict[str, str]:
        """The fingerprint of each secret of a worker by its binding."""
        declared = self.catalog.workers[worker].secrets
        return {secret.binding: self.fingerprints[secret.key] for secret in declared if secret.key in self.secrets}

    def database_id(self, name: str) -> str | None:
        """The id of a database: that of the stack's own, else of the one that it adopts. A deleted one that the settings give up is none."""
        database, last_id = self.settings.databases[name], self.last.database_id(name)
        return last_id if last_id and last_id != database.recreate else database.adopted

    def crons_of(self, worker: str) -> tuple[str, ...] | None:
        """The schedules to declare; None where a worker never had any.

        Deleting the resource tells Cloudflare nothing, so a worker that had schedules once keeps an empty list of them.
        """
        crons, last = self.settings.workers[worker].crons, self.last.workers.get(worker)
        return crons if crons or (last and last.crons is not None) else None


def prepare(settings: Settings, catalog: Catalog, asked: Asked) -> Prepared:
    """Read everything that an environment is declared from; ``asked`` are the outputs of both stacks.

    Raises a CraneError for the first thing that is wrong.
    """
    checked_out = begin_call(lambda: commit(settings.root))
    raw = {environment: asked[environment].result() for environment in ENVIRONMENTS}
    outputs = {environment: read_outputs(raw[environment], environment) for environment in ENVIRONMENTS}
    last = outputs[settings.environment]
    last.require_newest(settings.environment)
    others = neighbours(settings, {name: last.raw for name, last in outputs.items()})
    require_consistent(catalog, settings, others)
    require_nothing_lost(last.declared, settings)
    existing = {name for name, worker in settings.workers.items() if worker.adopted or name in last.workers}
    calls = called_first(settings, existing)
    release = read_release(catalog, settings.workers_dir)
    require_meant(settings, release, outputs["staging"].raw)
    seeds = seeds_of(catalog, settings.workers_dir) if settings.environment == "staging" else {}
    key = fingerprint_key(settings)
    secrets = fetch(source_of(settings, [secret.key for secret in catalog.secrets]), catalog.secrets)
    fingerprints = {name: fingerprint(value, key) for name, value in {**secrets, KEY_NAME: key}.items()}
    marks = _compare_secrets(settings, catalog, fingerprints, outputs)
    signing = signing_key(settings)
    own = {
        KEY_NAME: key,
        "CLOUDFLARE_API_TOKEN": settings.api_token.get_secret_value(),
        **({"signing-key": signing.private} if signing else {}),
    }
    redact = Redactor({**secrets, **own})
    staging, taken = outputs["staging"], database_ids(others)
    folders = stage_release(release, catalog, settings.workers_dir)
    prepared = Prepared(
        settings, catalog, release, secrets, fingerprints, last, staging, redact, calls, signing, seeds, taken, folders, marks, checked_out
    )
    _require_checks(prepared)
    return prepared


def _require_checks(prepared: Prepared) -> None:
    """Check that every check of this environment can be sent: after the migrations it would be too late. Raises CheckError with a line each."""
    settings, faults = prepared.settings, []
    for name, worker in prepared.catalog.workers.items():
        version = "the version of this run" if worker.reports_version else None
        target = Target(settings.script(name), settings.url(name), version, prepared.secrets_of(name), settings.root)
        faults += [fault for check in select(worker.checks, settings.environment) for fault in faults_of(target, check)]
    refuse(faults)


def _compare_secrets(
    settings: Settings, catalog: Catalog, fingerprints: Mapping[str, str], outputs: Mapping[Environment, StackOutputs]
) -> tuple[str, ...]:
    """A line for each mark in use. Raises SecretError where secrets break a rule."""
    lines: list[str] = []
    today = datetime.now(UTC).date()
    for environment in ENVIRONMENTS:
        if environment != settings.environment:
            theirs = outputs[environment].fingerprints
            if settings.environment == "production":
                require_same_key(fingerprints, theirs, environment)
            marked = marks_of(settings, catalog.secrets)
            faults = shared_faults(catalog.secrets, fingerprints, theirs, environment, marked)
            faults += ended_marks(fingerprints, theirs, marked, today)
            if settings.environment == "production":
                faults += different_faults(catalog.secrets, fingerprints, theirs, environment)
            refuse(faults)
            shared = {key for key in marked if fingerprints.get(key) in theirs.values()}
            lines += marks_in_use(marked, shared, today)
    return tuple(lines)
