"""Compares what is live with the last release of a stack: deployments, addresses, schedules, databases, ledgers, schemas, health.

Changes nothing.

A finding is something that somebody did around the stack. ``crane verify`` and the nightly drift check show it before the next release.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crane_infra.at_once import all_at_once
from crane_infra.commands.health import look_at_health
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.counted import counted
from crane_infra.errors import CraneError, LiveError, MigrationError
from crane_infra.live.account import Account, open_account
from crane_infra.live.declared import DeclaredScript, deviations
from crane_infra.live.expected import (
    ExpectedHead,
    ExpectedVersion,
    Served,
    expected_heads,
    expected_versions,
    head_fault,
    ledger_of,
    look_at_version,
    refresh_fault,
)
from crane_infra.live.rolled_back import RolledBack, rolled_back
from crane_infra.live.secret_names import live_secret_names, secret_names, secret_names_fault
from crane_infra.migrations.drift import expected_of
from crane_infra.migrations.files.read import MigrationFile, read_base, read_migrations
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.sqlite.schema import differences, live_schema
from crane_infra.release.outputs import StackOutputs, WorkerOutput
from crane_infra.release.proof import Proof
from crane_infra.release.schemas import shown_as
from crane_infra.traffic.rollback import active_deployments

_CHECK_SECONDS = 10.0


@dataclass
class Part:
    """What was compared of one thing: what is as expected, what differs, and what could not be compared; each a sentence."""

    seen: list[str] = field(default_factory=list)
    findings: list[CraneError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, seen: str, fault: CraneError | None) -> None:
        """Record one comparison."""
        if fault is None:
            self.seen.append(seen)
        else:
            self.findings.append(fault)

    def take(self, *parts: "Part") -> None:
        """Add everything that other parts have."""
        for part in parts:
            self.seen += part.seen
            self.findings += part.findings
            self.notes += part.notes


@dataclass
class DatabasePart(Part):
    """What was compared of a database; ``exists``: there is one with its id."""

    exists: bool = True


@dataclass
class LedgerPart(Part):
    """Where the ledger of a database stands; ``refresh`` is what its record says of the last refresh of its rows."""

    refresh: Part = field(default_factory=Part)


@dataclass
class Report(Part):
    """Everything that was compared of a stack."""

    stack: str = ""
    release: str = ""
    commit: str | None = None


async def verify(settings: Settings, catalog: Catalog, outputs: StackOutputs) -> Report:
    """Compare everything that the newest proof of a stack names; after ``crane rollback``, the workers with the release that it put back.

    Raises LiveError where the stack has no proof, SettingsError where its newest one cannot be read, ApiError where the API fails.
    """
    outputs.require_newest(settings.environment)
    if (proof := outputs.newest) is None:
        stack = settings.environment
        todo = f"Run pulumi up -s {stack}. crane migrations status -s {stack} shows what an update that failed has applied"
        raise LiveError(f"stack {stack}", "has no release yet", todo)
    async with open_account(settings) as account:
        comparison = await compare_with(settings, catalog, outputs, proof, account)
        report = Report(stack=settings.environment, release=comparison.judged.digest, commit=comparison.judged.commit)
        report.notes += comparison.notes
        parts = await all_at_once([*map(comparison.worker, comparison.versions), *map(comparison.database, comparison.heads)])
    report.take(*parts)
    return report


async def compare_with(settings: Settings, catalog: Catalog, outputs: StackOutputs, proof: Proof, account: Account) -> "Comparison":
    """The comparison of a stack with its newest proof; in production, of its workers with the release that ``crane rollback`` put back.

    Raises ApiError where the API fails.
    """
    is_production = settings.environment == "production"
    back = rolled_back(await active_deployments(account, outputs.proofs), outputs.proofs) if is_production else None
    return Comparison(settings, catalog, outputs, proof, account, back)


@dataclass(frozen=True)
class Comparison:
    """Compares one thing of a stack at a time with ``proof``, its newest one. Every method raises ApiError where the API fails."""

    settings: Settings
    catalog: Catalog
    outputs: StackOutputs
    proof: Proof
    account: Account
    back: RolledBack | None = None
    """The rollback that serves, if there is one; the databases are those of ``proof`` even so."""

    @property
    def judged(self) -> Proof:
        """The proof of the release that should serve."""
        return self.back.proof if self.back else self.proof

    @property
    def notes(self) -> list[str]:
        """What whoever reads the comparison should know."""
        if self.back is None:
            return []
        return [f"{self.back.summary}. The databases are as {self.proof.digest[:12]} left them, and the next release ends the rollback"]

    @property
    def versions(self) -> list[ExpectedVersion]:
        """What each worker should serve."""
        return _versions(self.outputs, self.judged)

    @property
    def heads(self) -> dict[str, ExpectedHead]:
        """Where the ledger of each database should stand, by its name in the catalog."""
        return dict(zip(self.proof.databases, expected_heads(self.proof), strict=True))

    async def worker(self, expected: ExpectedVersion) -> Part:
        """The deployment of a worker and the settings of its script, then its health."""
        part, served = Part(), await self.served(expected)
        part.add(served.summary, served.fault)
        part.take(await self.script(expected), await self.health(served))
        return part

    async def served(self, expected: ExpectedVersion) -> Served:
        """What a worker serves, and what is wrong with it, if anything."""
        served = await look_at_version(self.account, expected)
        return replace(served, fault=_unfinished(self.back, served.fault))

    async def script(self, expected: ExpectedVersion) -> Part:
        """What all versions of the worker share, as far as the stack declares it."""
        part = Part()
        output, where = self.outputs.workers.get(expected.worker), f"worker {expected.script}"
        if output is None or (live := await self.account.worker(expected.script)) is None:
            return part
        part.take(self._secret_names(expected, live.version))
        texts = deviations(live.script, DeclaredScript(expected.script, _declared(output, self.settings, expected.worker), output.crons))
        todo = f"To set it back: pulumi up -s {expected.stack}. To keep it, declare it in {self.settings.file}"
        fault = LiveError(where, f"was changed beside this stack: {'; '.join(texts)}", todo) if texts else None
        part.add(f"{where}: its addresses, schedules and declared settings are as released", fault)
        return part

    def _secret_names(self, expected: ExpectedVersion, version: Mapping[str, Any]) -> Part:
        """The names of the secrets that the serving version binds; where none serves, that is said already."""
        part, worker = Part(), self.catalog.workers.get(expected.worker)
        bindings = self.judged.manifest.get("workers", {}).get(expected.worker, {}).get("bindings")
        if not version or bindings is None:
            return part
        required = {secret.binding for secret in worker.secrets if secret.required} if worker else set()
        live = live_secret_names(version)
        fault = secret_names_fault(expected.script, expected.stack, live, secret_names(bindings), required)
        part.add(f"worker {expected.script}: it has the secrets that its release declares ({len(live)})", fault)
        return part

    async def health(self, served: Served) -> Part:
        """The checks of a worker that need no secret and write nothing; none of a worker that these files do not have."""
        if served.expected.worker not in self.catalog.workers or served.expected.worker not in self.settings.workers:
            return Part()
        health = await look_at_health(self.settings, self.catalog, self.judged, served, within=_CHECK_SECONDS)
        return Part(list(health.seen), [health.fault] if health.fault else [], list(health.notes))

    async def database(self, name: str) -> Part:
        """Whether a database exists under its id, where its ledger stands, and what its schema is."""
        part = await self.identity(name)
        if part.exists:
            ledger = await self.ledger(name)
            part.take(ledger, ledger.refresh, await self._schema(name, self.heads[name]))
        return part

    async def identity(self, name: str) -> DatabasePart:
        """Whether a database exists under its id and with its name, and how it is replicated."""
        expected = self.heads[name]
        live_name = await self.account.database_name(expected.id)
        part = DatabasePart(exists=live_name is not None)
        if live_name != expected.database:
            what = f"does not exist under its id {expected.id}" if live_name is None else f"is now called {live_name}"
            todo = "Find out who changed it; see docs/runbook.md before you run pulumi up"
            part.findings.append(LiveError(f"database {expected.database}", what, todo))
        if part.exists:
            part.take(await self._replication(name, expected))
        return part

    async def ledger(self, name: str) -> LedgerPart:
        """Where the ledger of a database stands, and whether the last refresh of its rows is complete."""
        expected = self.heads[name]
        try:
            ledger = await ledger_of(self.account, expected)
        except MigrationError as unreadable:
            return LedgerPart(findings=[unreadable])
        part = LedgerPart(refresh=refresh_part(ledger, expected.database))
        stands = f"its ledger stands at {expected.head.name} ({counted(expected.head.count, 'migration')})"
        part.add(f"database {expected.database}: {stands}", head_fault(ledger, expected))
        return part

    async def _replication(self, name: str, expected: ExpectedHead) -> Part:
        part = Part()
        declared = self.outputs.databases[name].read_replication if name in self.outputs.databases else None
        if declared is None or (live := await self.account.read_replication(expected.id)) == declared:
            return part
        todo = f"To set it back: pulumi up -s {expected.stack} --refresh"
        part.findings.append(LiveError(f"database {expected.database}", f"read replication: {live}, declared {declared}", todo))
        return part

    async def _schema(self, name: str, expected: ExpectedHead) -> Part:
        part, files = Part(), self._files_of_release(name)
        if files is None:
            part.notes.append(f"the schema of {expected.database} was not compared: these files are not those of its release{self._commit}")
            return part
        db = self.account.database(expected.id, expected.database)
        changes = differences(await expected_of(db, await read_ledger(db), *files), await live_schema(db))
        where = f"database {expected.database}"
        todo = f"Compare it with the migrations; to go back in time: wrangler d1 time-travel info {expected.database}"
        fault = LiveError(where, f"its schema differs from its migrations: {', '.join(changes)}", todo) if changes else None
        part.add(f"{where}: its schema matches its migrations", fault)
        return part

    def _files_of_release(self, name: str) -> tuple[tuple[MigrationFile, ...], MigrationFile | None] | None:
        """What the ledger's head was made of, migrations and base schema, if all of it is here, byte by byte."""
        if name not in self.catalog.databases:
            return None
        folder, base_path = self.settings.workers_dir / self.catalog.databases[name].migrations, self._base_path(name)
        if not folder.is_dir():
            return None
        manifest = self.proof.manifest.get("databases", {}).get(name, {})
        listed = {(migration["name"], migration["sha256"]) for migration in manifest.get("migrations", [])}
        files = tuple(
            file
            for file in read_migrations(folder, shown_as(folder, self.settings.workers_dir), base_path)
            if (file.name, file.sha256) in listed
        )
        if not len(files) == len(listed) == self.proof.databases[name].head.count:
            return None
        base = self._base(name)
        return (files, base) if (base.sha256 if base else None) == (manifest.get("base") or {}).get("sha256") else None

    @property
    def _commit(self) -> str:
        return f" (commit {self.proof.commit})" if self.proof.commit else ""

    def _base(self, name: str) -> MigrationFile | None:
        path = self._base_path(name)
        return (
            read_base(path, shown_as(path, self.settings.workers_dir), self.catalog.databases[name].baseline)
            if path and path.is_file()
            else None
        )

    def _base_path(self, name: str) -> Path | None:
        base = self.catalog.databases[name].base
        return None if base is None else self.settings.workers_dir / base


def refresh_part(ledger: Ledger, database: str) -> Part:
    """A refresh that is not complete: a finding where it has replaced the rows, a note where they are still those of before."""
    if ledger.refresh is None:
        return Part()
    if fault := refresh_fault(ledger, database):
        return Part(findings=[fault])
    return Part(notes=[f"database {database}: {ledger.refresh.summary}. {ledger.refresh.todo}"])


def _versions(outputs: StackOutputs, judged: Proof) -> list[ExpectedVersion]:
    """What should serve: the versions of the judged release, and for workers that it does not have those of the newest one."""
    newest, *older = outputs.proofs
    expected = {version.worker: version for version in expected_versions(newest, older)}
    expected |= {version.worker: version for version in expected_versions(judged, outputs.proofs)}
    return list(expected.values())


def _unfinished(back: RolledBack | None, fault: LiveError | None) -> LiveError | None:
    """The fault; where a rollback serves, with the command that brings it to its end."""
    if back is None or fault is None:
        return fault
    todo = f"If the rollback did not come to its end: crane rollback -s production {back.proof.digest[:12]}"
    return LiveError(fault.where, fault.what, todo)


def _declared(output: WorkerOutput, settings: Settings, worker: str) -> Mapping[str, Any]:
    """What the last release declared. Earlier versions did not record that a worker is not on workers.dev; then the file is asked."""
    known = output.settings is not None or worker not in settings.workers or settings.workers[worker].workers_dev
    return output.declared if known else {"subdomain": {"previews_enabled": False}}
