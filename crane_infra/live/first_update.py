"""What a first update leaves that failed: a database and a part of its migrations, though no output of the stack names the database yet.

Reads, never writes.
"""

from collections.abc import Iterable
from dataclasses import replace

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.errors import MigrationError
from crane_infra.live.account import Account
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import read_ledger


async def left_database(account: Account, name: str) -> str | None:
    """The id of the database called ``name`` if it is as a failed first update leaves it: empty, or with migrations of ours alone.

    None for any other one: it is somebody's, and the engine is about to create ours, which ``existing.py`` refuses. Raises ApiError.
    """
    database = await account.database_named(name)
    if database is None:
        return None
    try:
        ledger = await read_ledger(account.database(database.id, name))
    except MigrationError:
        return None
    return database.id if ledger.is_ours else None


def scripts_with(settings: Settings, catalog: Catalog, database: str) -> list[str]:
    """The scripts of the workers that bind a database of the catalog."""
    return [settings.script(name) for name, worker in catalog.workers.items() if database in worker.databases.values()]


async def as_used(account: Account, schema: SchemaFiles, scripts: Iterable[str], database_id: str) -> SchemaFiles:
    """The files of a database that no release has, marked as not in use unless a version of ``scripts`` gets traffic and binds it.

    An update that failed in its checks leaves such a version. Raises ApiError.
    """
    for script in scripts:
        if database_id in await account.databases_in_traffic(script):
            return schema
    return replace(schema, in_use=False)
