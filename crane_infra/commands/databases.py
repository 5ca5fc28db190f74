"""Opens the databases of a stack for commands that work on them without Pulumi, with the files of each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from crane_infra.at_once import all_at_once
from crane_infra.commands.stack import created_databases
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import SettingsError
from crane_infra.live.account import Account, open_account
from crane_infra.live.first_update import as_used, scripts_with
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.schemas import read_schema_files, schema_files_of

T = TypeVar("T")


@dataclass(frozen=True)
class ManagedDatabase:
    """One database, called ``name`` in the catalog, with its id and its migration files."""

    name: str
    id: str
    db: D1
    schema: SchemaFiles

    async def ledger(self) -> Ledger:
        """Read its ledger, in one call where a release has used it. Raises ApiError, and MigrationError for a row without a name."""
        return await read_ledger(self.db, ready=self.schema.has_ledger)


@dataclass(frozen=True)
class DatabaseTarget:
    """A database of a stack before it is opened: its name in the catalog and at Cloudflare, its id, and its migration files.

    ``scripts`` are those of the workers that bind it; ``is_released`` is False where an update that failed has created it.
    """

    name: str
    shown: str
    id: str
    schema: SchemaFiles
    scripts: tuple[str, ...] = ()
    is_released: bool = True

    async def opened(self, account: Account) -> ManagedDatabase:
        """The database through an account. Raises ApiError."""
        schema = self.schema if self.is_released else await as_used(account, self.schema, self.scripts, self.id)
        return ManagedDatabase(self.name, self.id, account.database(self.id, self.shown), schema)


def id_of(settings: Settings, outputs: StackOutputs, name: str, created: Mapping[str, str]) -> str | None:
    """The id of the database that the catalog calls ``name``, also of one that an update that failed has created; None where there is none."""
    return outputs.database_id(name) or settings.databases[name].adopted or created.get(name)


def target_of(settings: Settings, catalog: Catalog, outputs: StackOutputs, name: str, created: Mapping[str, str]) -> DatabaseTarget:
    """Find the database that the catalog calls ``name``; ``created`` are the ids in the state of a stack whose outputs do not name it yet.

    Raises SettingsError where the stack has not created it; MigrationError where its files cannot be read.
    """
    database_id = id_of(settings, outputs, name, created)
    if database_id is None:
        stack = settings.environment
        todo = f"Run pulumi up -s {stack}, or set adopt to the id of an existing database"
        raise SettingsError(f"database {name}", f"stack {stack} has not created it yet", todo)
    schema = schema_files_of(settings, name, *read_schema_files(catalog.databases[name], settings.workers_dir))
    schema = replace(schema, has_ledger=outputs.database_id(name) == database_id and bool(outputs.migrations(name)))
    is_released = id_of(settings, outputs, name, {}) is not None
    return DatabaseTarget(
        name, settings.databases[name].name, database_id, schema, tuple(scripts_with(settings, catalog, name)), is_released
    )


@asynccontextmanager
async def managed(
    settings: Settings, catalog: Catalog, outputs: StackOutputs, only: str | None = None
) -> AsyncIterator[list[ManagedDatabase]]:
    """Open the databases of a stack, or the one called ``only`` in the catalog.

    One that the outputs of the stack do not name yet is looked up in its state: an update that failed has created it.
    Raises SettingsError where there is no such database or the stack has not created it; MigrationError where its files cannot be read.
    """
    if only is not None and only not in catalog.databases:
        raise SettingsError(f"database {only}", "is not in the catalog", "Use one of " + ", ".join(catalog.databases))
    names = [only] if only else list(catalog.databases)
    is_released = all(outputs.database_id(name) or settings.databases[name].adopted for name in names)
    created = {} if is_released else created_databases(settings.environment)
    targets = [target_of(settings, catalog, outputs, name, created) for name in names]
    async with open_account(settings) as account:
        yield await all_at_once([target.opened(account) for target in targets])


def for_each_database(
    settings: Settings, catalog: Catalog, outputs: StackOutputs, only: str | None, work: Callable[[ManagedDatabase], Awaitable[T]]
) -> list[T]:
    """Do ``work`` with each database of a stack, or the one called ``only``, all at once; raises as ``managed`` does."""

    async def each() -> list[T]:
        async with managed(settings, catalog, outputs, only) as databases:
            return await all_at_once(map(work, databases))

    return asyncio.run(each())
