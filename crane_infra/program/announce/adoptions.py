"""Before the first update that adopts: says what the adoption will change, and refuses one that cannot go well.

Asks the account and the ledgers, and changes nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pulumi

from crane_infra.config.variables import variables_of
from crane_infra.errors import WOULD_REFUSE, ApiError, CraneError, MigrationError, SettingsError
from crane_infra.live.account import Account, open_account
from crane_infra.live.adoption import Bindings, DeclaredWorker, changes
from crane_infra.migrations.judgement import plan_for
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.own_tables import TABLES
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.preview_record import RecordedAdoption
from crane_infra.release.schemas import schema_files_of


@dataclass(frozen=True)
class Adoptions:
    """What this stack adopts for the first time. ``refusal``: why an update would refuse that, where only a preview goes on."""

    records: tuple[RecordedAdoption, ...] = ()
    refusal: str | None = None

    @property
    def lines(self) -> Iterator[Line]:
        """What a run logs about them."""
        yield from (Line(str(adoption)) for adoption in self.records)
        if self.refusal is not None:
            yield Line(f"{self.refusal} {WOULD_REFUSE}", is_warning=True)


def announce_adoptions(prepared: Prepared) -> Adoptions:
    """Log what changes in each worker and database that this stack adopts for the first time.

    A preview logs a refusal and goes on. An update raises SettingsError where there is nothing to adopt, MigrationError where files and
    ledger disagree, ApiError where the API does not answer.
    """
    workers, databases = _first_time(prepared, "workers"), _first_time(prepared, "databases")
    if not workers and not databases:
        return Adoptions()
    try:
        adoptions = Adoptions(blocking(_adoptions(prepared, workers, databases)))
    except CraneError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        if isinstance(error, ApiError):
            pulumi.log.warn(str(error))
            return Adoptions()
        adoptions = Adoptions(refusal=str(error))
    log(adoptions.lines)
    return adoptions


def _first_time(prepared: Prepared, kind: str) -> list[str]:
    known = prepared.last.declared[kind]
    declared: Mapping[str, object] = getattr(prepared.settings, kind)
    return [name for name, settings in declared.items() if getattr(settings, "adopt", None) and name not in known]


async def _adoptions(prepared: Prepared, workers: list[str], databases: list[str]) -> tuple[RecordedAdoption, ...]:
    async with open_account(prepared.settings) as account:
        looks = [*(_worker(account, prepared, name) for name in workers), *(_database(account, prepared, name) for name in databases)]
        return tuple(await asyncio.gather(*looks))


async def _worker(account: Account, prepared: Prepared, name: str) -> RecordedAdoption:
    settings, worker = prepared.settings, prepared.catalog.workers[name]
    script = settings.script(name)
    live = await account.worker(script)
    if live is None:
        where = f"Pulumi.{settings.environment}.yaml workers.{name}.adopt"
        raise SettingsError(where, f"the account has no worker {script} to adopt", "Remove adopt, and this stack creates it")
    declared = DeclaredWorker(
        _bindings(prepared, name),
        worker.compatibility_date,
        worker.compatibility_flags,
        settings.workers[name].workers_dev,
        prepared.crons_of(name),
    )
    differences = changes(live, declared) or ["nothing else changes"]
    return RecordedAdoption(kind="worker", name=script, changes=("its code is replaced by this release", *differences))


def _bindings(prepared: Prepared, name: str) -> Bindings:
    settings, declared = prepared.settings, prepared.catalog.workers[name]
    return {
        declared.version_metadata: ("version_metadata", ""),
        **{key: ("plain_text", text) for key, text in variables_of(name, prepared.catalog, settings).items()},
        **dict.fromkeys(prepared.secrets_of(name), ("secret_text", "")),
        **{key: ("d1", settings.databases[database].adopt or "a new database") for key, database in declared.databases.items()},
        **{key: ("service", settings.script(worker)) for key, worker in settings.workers[name].services.items()},
    }


async def _database(account: Account, prepared: Prepared, name: str) -> RecordedAdoption:
    settings = prepared.settings
    database = settings.databases[name]
    database_id, where = database.adopt or "", f"Pulumi.{settings.environment}.yaml databases.{name}"
    live_name = await account.database_name(database_id)
    if live_name is None:
        raise SettingsError(f"{where}.adopt", f"the account has no database {database_id}", "Correct the id: wrangler d1 list shows them")
    if live_name != database.name:
        what = f"the database {database_id} is called {live_name}, not {database.name}"
        raise SettingsError(f"{where}.name", what, f"Write name: {live_name}")
    ledger = await read_ledger(account.database(database_id, database.name))
    changes = ("its data stays", *_own_tables(ledger), *_migrations(prepared, name, ledger))
    return RecordedAdoption(kind="database", name=database.name, changes=changes)


def _own_tables(ledger: Ledger) -> Iterator[str]:
    """Teams that compare the schema of a database with a digest have to know them."""
    if missing := sorted(TABLES - {name for kind, name, _ in ledger.objects if kind == "table"}):
        yield f"tables of crane are added: {', '.join(missing)}"


def _migrations(prepared: Prepared, name: str, ledger: Ledger) -> Iterator[str]:
    schema = schema_files_of(prepared.settings, name, prepared.release.migrations[name], prepared.release.bases.get(name))
    try:
        plan = plan_for(prepared.settings.databases[name].name, schema, ledger)
    except MigrationError:  # announce/migrations.py refuses it, with those of the other databases
        return
    yield f"migrations imported from wrangler: {len(plan.adopt)}, pending: {', '.join(file.name for file in plan.apply) or 'none'}"
