"""Before the first update that adopts: says what the adoption will change, and refuses one that cannot go well.

Asks observe.py and the ledgers, changes nothing. Prevents an adoption that finds out halfway that there is nothing to adopt, and a
change to a live worker that nobody was told of.
"""

import asyncio
from collections.abc import Mapping

import pulumi

from crane_infra.config.variables import variables_of
from crane_infra.errors import WOULD_REFUSE, ApiError, CraneError, SettingsError
from crane_infra.live.account import Account, open_account
from crane_infra.live.adoption import Bindings, WantedWorker, changes
from crane_infra.migrations.ledger import read_ledger
from crane_infra.migrations.plan import make_plan
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared


def announce_adoptions(prepared: Prepared) -> None:
    """Say what each worker and database that this stack adopts for the first time will change.

    In preview a refusal is said and the diff goes on. In an update raises SettingsError where there is nothing to adopt,
    MigrationError where files and ledger disagree, ApiError where the API does not answer.
    """
    workers, databases = _first_time(prepared, "workers"), _first_time(prepared, "databases")
    if not workers and not databases:
        return
    try:
        told = blocking(_announcements(prepared, workers, databases))
    except CraneError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"{error}{'' if isinstance(error, ApiError) else f' {WOULD_REFUSE}'}")
        return
    for text in told:
        pulumi.log.info(text)


def _first_time(prepared: Prepared, kind: str) -> list[str]:
    known = prepared.last.declared[kind]
    declared: Mapping[str, object] = getattr(prepared.settings, kind)
    return [name for name, own in declared.items() if getattr(own, "adopt", None) and name not in known]


async def _announcements(prepared: Prepared, workers: list[str], databases: list[str]) -> list[str]:
    async with open_account(prepared.settings) as account:
        looks = [*(_worker(account, prepared, name) for name in workers), *(_database(account, prepared, name) for name in databases)]
        return list(await asyncio.gather(*looks))


async def _worker(account: Account, prepared: Prepared, name: str) -> str:
    settings, declared = prepared.settings, prepared.catalog.workers[name]
    script = settings.script(name)
    live = await account.worker(script)
    if live is None:
        where = f"Pulumi.{settings.environment}.yaml workers.{name}.adopt"
        raise SettingsError(where, f"the account has no worker {script} to adopt", "Remove adopt, and this stack makes it")
    wanted = WantedWorker(
        _bindings(prepared, name),
        declared.compatibility_date,
        declared.compatibility_flags,
        settings.workers[name].workers_dev,
        prepared.crons_of(name),
    )
    told = changes(live, wanted)
    return f"adopts worker {script}: its code is replaced by this release; {'; '.join(told) or 'nothing else changes'}"


def _bindings(prepared: Prepared, name: str) -> Bindings:
    settings, declared = prepared.settings, prepared.catalog.workers[name]
    return {
        declared.version_metadata: ("version_metadata", ""),
        **{key: ("plain_text", text) for key, text in variables_of(name, prepared.catalog, settings).items()},
        **dict.fromkeys(prepared.secrets_of(name), ("secret_text", "")),
        **{key: ("d1", settings.databases[database].adopt or "a new database") for key, database in declared.databases.items()},
        **{key: ("service", settings.script(worker)) for key, worker in settings.workers[name].services.items()},
    }


async def _database(account: Account, prepared: Prepared, name: str) -> str:
    settings = prepared.settings
    own = settings.databases[name]
    where = f"Pulumi.{settings.environment}.yaml databases.{name}"
    found = await account.database_name(own.adopt or "")
    if found is None:
        raise SettingsError(f"{where}.adopt", f"the account has no database {own.adopt}", "Correct the id: wrangler d1 list names them")
    if found != own.name:
        raise SettingsError(f"{where}.name", f"the database {own.adopt} is called {found}, not {own.name}", f"Write name: {found}")
    ledger = await read_ledger(account.database(own.adopt or "", own.name))
    plan = make_plan(prepared.release.migrations[name], ledger, own.name, base=prepared.release.bases.get(name))
    pending = ", ".join(file.name for file in plan.apply) or "none"
    return f"adopts database {own.name}: its data stays; migrations taken over from wrangler: {len(plan.adopt)}, pending: {pending}"
