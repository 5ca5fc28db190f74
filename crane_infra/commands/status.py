"""Looks where both environments stand, each part on its own: one that cannot be seen is named, and the rest is shown. Changes nothing.

It judges nothing itself: deployments, settings and health are compared as ``crane verify`` does, databases are judged as ``crane migrations``
does, and the gate is asked as an update asks it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crane_infra.at_once import all_at_once
from crane_infra.commands.attempts import lines_of, look, redactor
from crane_infra.commands.looks import DatabaseLook, Stack, WorkerLook, look_at_database, look_at_worker
from crane_infra.commands.records import records_of
from crane_infra.commands.sources import Source
from crane_infra.commands.verify import compare_with
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, GateError
from crane_infra.live.account import open_account
from crane_infra.live.promotion import require_open
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.lint.judge import classes
from crane_infra.release.gate import Verdict, verdict_for
from crane_infra.release.manifest import Release
from crane_infra.release.schemas import read_schema_files
from crane_infra.status.events import Event, events_of
from crane_infra.status.inert import with_texts
from crane_infra.status.model import DatabaseStatus, EnvironmentStatus, Promotion, ReleaseStatus, State, Status, WorkerStatus
from crane_infra.status.promotion import changes_of
from crane_infra.status.updates import Updates


@dataclass
class _Looks:
    """What was seen of the account of one environment."""

    workers: list[WorkerLook] = field(default_factory=list)
    databases: list[DatabaseLook] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def ledgers(self) -> dict[str, Ledger]:
        """The ledgers that were read, by the catalog's names."""
        return {database.status.name: database.ledger for database in self.databases if database.ledger is not None}


def status_of_both(catalog: Catalog, project: str, sources: tuple[Source, Source], now: datetime) -> Status:
    """Where both environments stand, by what Pulumi said of staging and of production; whatever cannot be seen is named in the result."""
    return with_texts(asyncio.run(_status(catalog, project, sources, now)), redactor())


async def _status(catalog: Catalog, project: str, sources: tuple[Source, Source], now: datetime) -> Status:
    staging, production = sources
    verdict, of_staging, of_production = await asyncio.gather(
        _verdict(staging, production), _look_at(staging, catalog), _look_at(production, catalog)
    )
    environments = (_environment(staging, of_staging, project, now), _environment(production, of_production, project, now))
    return Status(now, environments, _promotion(verdict, sources, of_production.ledgers, catalog))


async def _look_at(source: Source, catalog: Catalog) -> _Looks:
    """Look at every worker and database of an environment at once; at none where its settings cannot be read."""
    settings, outputs = source.settings, source.known
    if isinstance(settings, CraneError):
        return _Looks()
    async with open_account(settings) as account:
        compared = await look(source.stack, compare_with(settings, catalog, outputs, source.proof, account)) if source.proof else None
        comparison = None if isinstance(compared, CraneError) else compared
        created = {} if isinstance(source.created, CraneError) else source.created
        stack = Stack(settings, catalog, outputs, created, account, comparison)
        workers, databases = await asyncio.gather(
            all_at_once([look_at_worker(comparison, expected) for expected in comparison.versions] if comparison else ()),
            all_at_once(look_at_database(stack, name) for name in catalog.databases),
        )
    notes = comparison.notes if comparison else []
    return _Looks(workers, databases, notes, lines_of(compared) if isinstance(compared, CraneError) else [])


async def _verdict(staging: Source, production: Source) -> Verdict | CraneError:
    """The gate's verdict on the newest release of staging, as an update of production would get it; an error where it cannot be asked."""
    for part in (production.settings, staging.outputs):
        if isinstance(part, CraneError):
            return part
    assert isinstance(production.settings, Settings)  # noqa: S101 - for mypy
    if staging.newest_fault:
        return Verdict(None, staging.newest_fault.what, staging.newest_fault.todo)
    proof = staging.proof
    release = Release({}, {}, {}, proof.manifest if proof else {}, proof.digest if proof else "")
    # The newest release of staging is asked about, whatever rollback-to names.
    settings = production.settings.model_copy(update={"rollback_to": None})
    verdict = verdict_for(settings, release, staging.known.raw, production.known.raw)
    seen = await look("staging", require_open(settings, verdict)) if verdict.is_open else None
    if isinstance(seen, GateError):
        return Verdict(None, seen.what, seen.todo)
    return seen if isinstance(seen, CraneError) else verdict


def _promotion(verdict: Verdict | CraneError, sources: tuple[Source, Source], ledgers: dict[str, Ledger], catalog: Catalog) -> Promotion:
    if isinstance(verdict, CraneError):
        return Promotion(None, f"not asked: {verdict}")
    staging, production = sources
    changes = changes_of(staging.known, production.known, ledgers, dict(_kinds(sources, catalog))) if staging.proof else ()
    return Promotion(verdict.is_open, verdict.summary, verdict.note, verdict.risk, tuple(changes))


def _kinds(sources: tuple[Source, Source], catalog: Catalog) -> Iterator[tuple[tuple[str, str], str]]:
    """The class of each migration whose file is at hand, by its database and digest."""
    folder = next((source.settings.workers_dir for source in sources if isinstance(source.settings, Settings)), None)
    if folder is None:
        return
    for name, database in catalog.databases.items():
        with suppress(CraneError):  # told by the look at the database
            files, base = read_schema_files(database, folder)
            kinds = classes(files, base)
            yield from (((name, file.sha256), kinds[file.name]) for file in files)


def _environment(source: Source, seen: _Looks, project: str, now: datetime) -> EnvironmentStatus:
    updates = source.updates if isinstance(source.updates, Updates) else Updates(is_whole=False)
    ledgers = {database.status.shown: database.ledger for database in seen.databases if database.ledger is not None}
    deployments = {worker.status.script: worker.deployments for worker in seen.workers}
    events = tuple(events_of(records_of(source.stack, project, updates, source.known, ledgers, deployments), now))
    looks = [*seen.workers, *seen.databases]
    return EnvironmentStatus(
        source.stack,
        _state(source),
        _release(source, events),
        tuple(look.status for look in seen.workers) or tuple(_proven_workers(source)),
        tuple(look.status for look in seen.databases) or tuple(_proven_databases(source)),
        events,
        (*_failed_last(events), *(line for look in looks for line in look.problems)),
        (*seen.notes, *(line for look in looks for line in look.notes)),
        tuple(dict.fromkeys([*source.unseen, *seen.unseen, *(line for look in looks for line in look.unseen)])),
    )


def _state(source: Source) -> State:
    if isinstance(source.outputs, CraneError) or source.newest_fault:
        return "unknown"
    return "runs a release" if source.proof else "has no release"


def _release(source: Source, events: tuple[Event, ...]) -> ReleaseStatus | None:
    if (proof := source.proof) is None:
        return None
    by = next((event.who for event in events if event.is_run and event.at <= proof.proven_at <= _end(event)), "")
    return ReleaseStatus(proof.digest, proof.commit, proof.proven_at, by)


def _end(event: Event) -> datetime:
    return event.at + timedelta(seconds=(event.seconds or 0) + 1)


def _failed_last(events: tuple[Event, ...]) -> Iterator[str]:
    last = next((event for event in events if event.is_run), None)
    if last and last.went_wrong:
        shown = "was refused before it changed anything" if last.outcome == "refused" else "failed"
        yield f"the last run, a {last.kind} at {last.at:%Y-%m-%d %H:%M} UTC, {shown}{f': {last.link}' if last.link else ''}"


def _proven_workers(source: Source) -> Iterator[WorkerStatus]:
    """The workers as the stack deployed them, where nobody could look."""
    for name, worker in source.proof.workers.items() if source.proof else ():
        output = source.known.workers.get(name)
        yield WorkerStatus(name, worker.script, (output and output.url) or "", worker.version)


def _proven_databases(source: Source) -> Iterator[DatabaseStatus]:
    for name, database in source.proof.databases.items() if source.proof else ():
        yield DatabaseStatus(name, database.name, database.id)
