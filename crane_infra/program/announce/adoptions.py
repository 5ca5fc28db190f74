"""Before the first update that adopts: says what the adoption will change, and refuses one that cannot go well.

Asks the account and the ledgers, and changes nothing.
"""

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from crane_infra.errors import WOULD_REFUSE, ApiError, CraneError, SettingsError
from crane_infra.live.account import Account, open_account
from crane_infra.live.adoption import Loss, changes, losses
from crane_infra.live.at_once import all_at_once
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.own_tables import TABLES
from crane_infra.program.announce.declared import declared_worker
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.preview_record import RecordedAdoption


@dataclass(frozen=True)
class Adoptions:
    """What this stack adopts for the first time. ``refusals``: why an update would refuse that, where only a preview goes on."""

    records: tuple[RecordedAdoption, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def lines(self) -> Iterator[Line]:
        """What a run logs about them."""
        yield from (Line(str(adoption)) for adoption in self.records)
        yield from (Line(f"{refusal} {WOULD_REFUSE}", is_warning=True) for refusal in self.refusals)


def announce_adoptions(prepared: Prepared) -> Adoptions:
    """Log what changes in each worker and database that this stack adopts for the first time.

    A preview logs refusals and goes on. An update logs all but the last one and raises that: SettingsError where there is nothing to adopt
    or something live would be lost, ApiError where the API does not answer.
    """
    workers, databases = _first_time(prepared, "workers"), _first_time(prepared, "databases")
    if not workers and not databases:
        return Adoptions()
    looked_at = blocking(_adoptions(prepared, workers, databases))
    records = tuple(found for found in looked_at if isinstance(found, RecordedAdoption))
    faults = [fault for fault in looked_at if isinstance(fault, CraneError)]
    if faults and not pulumi.runtime.is_dry_run():
        for fault in faults[:-1]:
            pulumi.log.error(str(fault))
        raise faults[-1]
    for fault in faults:
        if isinstance(fault, ApiError):
            pulumi.log.warn(str(fault))
    adoptions = Adoptions(records, tuple(str(fault) for fault in faults if not isinstance(fault, ApiError)))
    log(adoptions.lines)
    return adoptions


def _first_time(prepared: Prepared, kind: str) -> list[str]:
    known = prepared.last.declared[kind]
    declared: Mapping[str, object] = getattr(prepared.settings, kind)
    return [name for name, settings in declared.items() if getattr(settings, "adopt", None) and name not in known]


Found = RecordedAdoption | CraneError


async def _adoptions(prepared: Prepared, workers: list[str], databases: list[str]) -> list[Found]:
    """What is adopted, and what stands in its way; a fault of one hides none of another."""
    async with open_account(prepared.settings) as account:
        looks = [*(_worker(account, prepared, name) for name in workers), *(_database(account, prepared, name) for name in databases)]
        return [found for each in await all_at_once(map(_caught, looks)) for found in each]


async def _caught(look: Awaitable[Sequence[Found]]) -> Sequence[Found]:
    try:
        return await look
    except CraneError as error:
        return [error]


async def _worker(account: Account, prepared: Prepared, name: str) -> list[Found]:
    settings = prepared.settings
    script = settings.script(name)
    live = await account.worker(script)
    if live is None:
        where = f"{settings.file} workers.{name}.adopt"
        raise SettingsError(where, f"the account has no worker {script} to adopt", "Remove adopt, and this stack creates it")
    declared = declared_worker(prepared, name)
    differences = changes(live, declared) or ["nothing else changes"]
    texts = ("its code is replaced by this release", *map(prepared.redact, differences))
    adoption = RecordedAdoption(kind="worker", name=script, changes=texts)
    undeclared = [loss for loss in losses(live, declared) if loss.name not in settings.workers[name].give_up]
    return [adoption, *([_refusal(prepared, name, undeclared)] if undeclared else [])]


def _refusal(prepared: Prepared, name: str, undeclared: list[Loss]) -> SettingsError:
    settings, given_up = prepared.settings, prepared.settings.workers[name].give_up
    what = (
        f"adopting {settings.script(name)} would drop what no file declares: {prepared.redact(', '.join(loss.text for loss in undeclared))}"
    )
    names = ", ".join(dict.fromkeys([*given_up, *(loss.name for loss in undeclared)]))
    todo = f"Declare it (docs/adopting.md says where), or give it up in {settings.file}: give-up: [{names}]"
    return SettingsError(f"{settings.file} workers.{name}", what, todo)


async def _database(account: Account, prepared: Prepared, name: str) -> list[Found]:
    settings = prepared.settings
    database = settings.databases[name]
    database_id, where = database.adopt or "", f"{settings.file} databases.{name}"
    live_name = await account.database_name(database_id)
    if live_name is None:
        raise SettingsError(f"{where}.adopt", f"the account has no database {database_id}", "Correct the id: wrangler d1 list shows them")
    if live_name != database.name:
        what = f"the database {database_id} is called {live_name}, not {database.name}"
        raise SettingsError(f"{where}.name", what, f"Write name: {live_name}")
    ledger = await read_ledger(account.database(database_id, database.name))
    changes = ["its data stays", *_own_tables(ledger)]  # announce/migrations.py says what is imported and what is pending
    replication = await account.read_replication(database_id)
    if database.read_replication and replication != database.read_replication:
        changes.append(f"read replication: {replication} becomes {database.read_replication}")
    return [RecordedAdoption(kind="database", name=database.name, changes=tuple(changes))]


def _own_tables(ledger: Ledger) -> Iterator[str]:
    """Teams that compare the schema of a database with a digest have to know them."""
    if missing := sorted(TABLES - {name for kind, name, _ in ledger.objects if kind == "table"}):
        yield f"tables of crane are added: {', '.join(missing)}"
