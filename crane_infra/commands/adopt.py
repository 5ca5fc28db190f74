"""Looks for the declared workers and databases in the account, and plans what the stack file has to say so that a stack adopts them.

Only reads: a read token is enough. What a preview will say of the adoption is said in the same words, by the same code
(``live/adoptable.py``), since both judge the stack file as it would be.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crane_infra.at_once import all_at_once
from crane_infra.commands.attempts import redactor
from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import neighbours, require_consistent, require_same_names
from crane_infra.config.file_change import FileChange, text_of
from crane_infra.config.settings import DatabaseSettings, Settings, WorkerSettings
from crane_infra.config.stack_edit import edited, merged
from crane_infra.config.stackfile import stack_config
from crane_infra.errors import CraneError, LiveError, SettingsError
from crane_infra.live.account import Account, LiveWorker, open_account
from crane_infra.live.adoptable import Found, database_adoption, worker_adoption
from crane_infra.live.adoption import DeclaredWorker, losses
from crane_infra.live.declared_worker import Known, declared_worker
from crane_infra.live.keeping import bound_databases, is_opened, kept, staying
from crane_infra.live.secret_names import live_secret_names
from crane_infra.release.outputs import StackOutputs

Entries = dict[str, dict[str, Any]]
"""What is added to entries of the stack file, by name."""
_MANAGED = "belongs to the stack already"
_NEW = "is not in the account: the first update creates it"


@dataclass
class Adoption:
    """What a stack would adopt: lines for a person, what stops it, and what its stack file lacks."""

    lines: list[str] = field(default_factory=list)
    stops: list[CraneError] = field(default_factory=list)
    workers: Entries = field(default_factory=dict)
    databases: Entries = field(default_factory=dict)


def plan_adoption(settings: Settings, catalog: Catalog, outputs: StackOutputs, give_up: Sequence[str] = ()) -> Adoption:
    """Look for everything that the catalog has and the stack does not; ``give_up`` names what the adoption may drop.

    Raises SettingsError where the stack file and the catalog do not name the same, ApiError where the API fails.
    """
    require_same_names(catalog, settings)
    return asyncio.run(_plan(_Look(settings, catalog, outputs, tuple(give_up))))


def change_of(adoption: Adoption, settings: Settings) -> FileChange:
    """The stack file with what an adoption adds. Raises SettingsError where the file cannot be edited."""
    path = settings.root / settings.file
    before, config = text_of(path), stack_config(settings.root, settings.environment)
    added = {"databases": adoption.databases, "workers": adoption.workers}
    changed = {kind: merged(config.get(f"{settings.project}:{kind}") or {}, entries) for kind, entries in added.items() if entries}
    return FileChange(path, settings.file, before, edited(before, settings.file, settings.project, changed) if changed else before)


@dataclass(frozen=True)
class _Look:
    settings: Settings
    catalog: Catalog
    outputs: StackOutputs
    give_up: tuple[str, ...]

    @property
    def workers(self) -> list[str]:
        """The workers of the catalog that the stack does not have yet."""
        return [name for name in self.catalog.workers if name not in self.outputs.workers]

    @property
    def databases(self) -> list[str]:
        """The databases of the catalog that the stack does not have yet."""
        return [name for name in self.catalog.databases if name not in self.outputs.databases]


async def _plan(look: _Look) -> Adoption:
    adoption = Adoption()
    async with open_account(look.settings) as account:
        found = dict(zip(look.workers, await all_at_once(account.worker(look.settings.script(name)) for name in look.workers), strict=True))
        live = {name: worker for name, worker in found.items() if worker is not None}
        ids = {name: bound_databases(worker, look.catalog.workers[name].databases) for name, worker in live.items()}
        entries = await all_at_once(_database_entry(account, look, name, ids) for name in look.databases)
        for name, (entry, stop) in zip(look.databases, entries, strict=True):
            adoption.stops += [stop] if stop else []
            adoption.databases |= {name: entry} if entry else {}
        for name, worker in live.items():
            adoption.workers[name] = _worker_entry(worker, look, name)
        _give_up(look, live, adoption)
        await _judge(account, look, found, adoption)
    adoption.workers = {name: entry for name, entry in adoption.workers.items() if entry}
    return adoption


def _worker_entry(live: LiveWorker, look: _Look, name: str) -> dict[str, Any]:
    adopt = {} if look.settings.workers[name].adopt else {"adopt": True}
    return {**adopt, **kept(live, name, look.catalog, look.settings)}


async def _database_entry(
    account: Account, look: _Look, name: str, bound: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Any], CraneError | None]:
    """What the entry of a database lacks, and what stops it: the id of the one that the live workers bind, else of the one with its name."""
    settings, given = look.settings, look.settings.databases[name]
    by_worker = {worker: ids[name] for worker, ids in bound.items() if name in ids}
    where = f"{settings.file} databases.{name}"
    if len(set(by_worker.values())) > 1:
        texts = ", ".join(f"{settings.script(worker)} binds {database_id}" for worker, database_id in by_worker.items())
        return {}, LiveError(where, f"the workers bind different databases: {texts}", "Let them bind one, or declare two in the catalog")
    for worker, database_id in by_worker.items():
        if given.adopt not in (None, database_id):
            todo = f"Write adopt: {database_id}, unless the worker is meant to get another database"
            return {}, LiveError(f"{where}.adopt", f"{settings.script(worker)} binds {database_id}, and not {given.adopt}", todo)
        if given.adopt is None and (live_name := await account.database_name(database_id)) != given.name:
            what = f"{settings.script(worker)} binds {live_name} ({database_id}), and not {given.name}"
            return {}, LiveError(f"{where}.name", what, f"Write name: {live_name}, unless the worker is meant to get another database")
    if given.adopt is not None:
        return {}, None
    if by_worker:
        return {"adopt": next(iter(by_worker.values()))}, None
    same_name = await account.database_named(given.name)
    return {"adopt": same_name.id} if same_name else {}, None


def _give_up(look: _Look, live: Mapping[str, LiveWorker], adoption: Adoption) -> None:
    """Add what may be dropped to the entries of the workers that have it. Raises SettingsError for a name that no worker has."""
    used = {name for worker in look.workers for name in look.settings.workers[worker].give_up}
    settings = _completed(look.settings, adoption)
    for worker, deployed in live.items():
        declared = _declared(look, settings, worker, deployed)
        names = [] if isinstance(declared, CraneError) else [loss.name for loss in losses(deployed, declared)]
        given = settings.workers[worker].give_up
        dropped = [name for name in dict.fromkeys(look.give_up) if name in names]
        used.update(dropped)
        if new := [name for name in dropped if name not in given]:
            adoption.workers[worker]["give-up"] = [*given, *new]
    if unknown := [name for name in look.give_up if name not in used]:
        raise SettingsError(f"--give-up {unknown[0]}", "no worker has this and would lose it", "Remove it, or correct its name")


async def _judge(account: Account, look: _Look, found: Mapping[str, LiveWorker | None], adoption: Adoption) -> None:
    """Say what the adoption changes with the stack file as it would be, and what stops it."""
    settings = _completed(look.settings, adoption)
    stopped = {error.where for error in adoption.stops}
    for name in look.catalog.databases:
        shown = f"database {settings.databases[name].name}"
        if name not in look.databases:
            adoption.lines.append(f"{shown}: {_MANAGED}")
        elif settings.databases[name].adopt:
            _take(adoption, await _caught(database_adoption(account, settings, name)))
        elif not any(where.startswith(f"{settings.file} databases.{name}") for where in stopped):
            adoption.lines.append(f"{shown} {_NEW}")
    for name in look.catalog.workers:
        if name not in look.workers:
            adoption.lines.append(f"worker {settings.script(name)}: {_MANAGED}")
        elif (live := found[name]) is None and not settings.workers[name].adopt:
            adoption.lines.append(f"worker {settings.script(name)} {_NEW}")
        else:
            _judge_worker(live, look, settings, name, adoption)
    try:
        require_consistent(look.catalog, settings, neighbours(settings, {}))
    except SettingsError as error:
        if str(error) not in map(str, adoption.stops):
            adoption.stops.append(error)


def _judge_worker(live: LiveWorker | None, look: _Look, settings: Settings, name: str, adoption: Adoption) -> None:
    declared = _declared(look, settings, name, live)
    if isinstance(declared, CraneError):
        adoption.stops.append(declared)
        return
    try:
        _take(adoption, worker_adoption(live, declared, settings, name, redactor()))
    except SettingsError as error:
        adoption.stops.append(error)
    if live is None:
        return
    if stays := staying(live, declared):
        adoption.lines.append(f"  stays as it is: {'; '.join(stays)}")
    if is_opened(live, name, settings):
        where, todo = f"{settings.file} workers.{name}", "Write workers-dev: false, and its address as url"
        adoption.stops.append(LiveError(where, f"{settings.script(name)} is not on workers.dev, and adopting it would open it there", todo))


def _declared(look: _Look, settings: Settings, name: str, live: LiveWorker | None) -> DeclaredWorker | SettingsError:
    """The worker as it would be declared. Whether an optional secret has a value is not known here: one that is live is taken to have one."""
    ids = {database: given.adopt for database, given in settings.databases.items() if given.adopt}
    known_ids = {name: database_id for name in look.catalog.databases if (database_id := look.outputs.database_id(name))}
    present = live_secret_names(live.version) if live else set()
    secrets = [secret.binding for secret in look.catalog.workers[name].secrets if secret.required or secret.binding in present]
    known = Known(secrets, {**ids, **known_ids}, settings.workers[name].crons or None)
    try:
        return declared_worker(name, look.catalog, settings, known)
    except SettingsError as error:
        return error


def _take(adoption: Adoption, results: Collection[Found]) -> None:
    for result in results:
        if isinstance(result, CraneError):
            adoption.stops.append(result)
        else:
            adoption.lines.append(str(result))


async def _caught(look: Awaitable[list[Found]]) -> list[Found]:
    try:
        return await look
    except SettingsError as error:
        return [error]


def _completed(settings: Settings, adoption: Adoption) -> Settings:
    """The settings as they are once the stack file has what is added."""
    workers = {
        name: WorkerSettings.model_validate(merged(_plain(given), adoption.workers.get(name, {})))
        for name, given in settings.workers.items()
    }
    databases = {
        name: DatabaseSettings.model_validate(merged(_plain(given), adoption.databases.get(name, {})))
        for name, given in settings.databases.items()
    }
    return settings.model_copy(update={"workers": workers, "databases": databases})


def _plain(given: WorkerSettings | DatabaseSettings) -> dict[str, Any]:
    return given.model_dump(mode="json", by_alias=True, exclude_unset=True)
