"""What adopting one worker or one database changes, and what stands in its way: asked by previews, updates and ``crane adopt`` alike."""

from collections.abc import Callable, Iterator

from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, SettingsError
from crane_infra.live.account import Account, LiveWorker
from crane_infra.live.adoption import DeclaredWorker, Loss, changes, losses
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.own_tables import TABLES
from crane_infra.release.preview_record import RecordedAdoption

Redact = Callable[[str], str]
Found = RecordedAdoption | CraneError
"""An adoption, or what stands in its way."""


def worker_adoption(live: LiveWorker | None, declared: DeclaredWorker, settings: Settings, name: str, redact: Redact) -> list[Found]:
    """The adoption of a worker, and the refusal of what it would drop. Raises SettingsError where there is no such worker."""
    script = settings.script(name)
    if live is None:
        where = f"{settings.file} workers.{name}.adopt"
        raise SettingsError(where, f"the account has no worker {script} to adopt", "Remove adopt, and this stack creates it")
    differences = changes(live, declared) or ["nothing else changes"]
    replaced = "code and static assets are" if "assets" in declared.version else "code is"
    texts = (f"its {replaced} replaced by this release", *map(redact, differences))
    adoption = RecordedAdoption(kind="worker", name=script, changes=texts)
    undeclared = [loss for loss in losses(live, declared) if loss.name not in settings.workers[name].give_up]
    return [adoption, *([_refusal(settings, name, undeclared, redact)] if undeclared else [])]


def _refusal(settings: Settings, name: str, undeclared: list[Loss], redact: Redact) -> SettingsError:
    given_up = settings.workers[name].give_up
    what = f"adopting {settings.script(name)} would drop what no file declares: {redact(', '.join(loss.text for loss in undeclared))}"
    names = ", ".join(dict.fromkeys([*given_up, *(loss.name for loss in undeclared)]))
    todo = f"Declare it (docs/adopting.md says where), or give it up in {settings.file}: give-up: [{names}]"
    return SettingsError(f"{settings.file} workers.{name}", what, todo)


async def database_adoption(account: Account, settings: Settings, name: str) -> list[Found]:
    """The adoption of a database. Raises SettingsError where there is none with its id and name, ApiError where the API fails."""
    database = settings.databases[name]
    database_id, where = database.adopt or "", f"{settings.file} databases.{name}"
    live_name = await account.database_name(database_id)
    if live_name is None:
        raise SettingsError(f"{where}.adopt", f"the account has no database {database_id}", "Correct the id: wrangler d1 list shows them")
    if live_name != database.name:
        what = f"the database {database_id} is called {live_name}, not {database.name}"
        raise SettingsError(f"{where}.name", what, f"Write name: {live_name}")
    ledger = await read_ledger(account.database(database_id, database.name))
    changes = ["its data stays", *_own_tables(ledger)]  # a run says besides which migrations are imported and which are pending
    replication = await account.read_replication(database_id)
    if database.read_replication and replication != database.read_replication:
        changes.append(f"read replication: {replication} becomes {database.read_replication}")
    return [RecordedAdoption(kind="database", name=database.name, changes=tuple(changes))]


def _own_tables(ledger: Ledger) -> Iterator[str]:
    """Teams that compare the schema of a database with a digest have to know them."""
    if missing := sorted(TABLES - {name for kind, name, _ in ledger.objects if kind == "table"}):
        yield f"tables of crane are added: {', '.join(missing)}"
