"""Opens the databases of a stack for commands that work on them without Pulumi, with the files of each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from crane_infra.commands.stack import created_databases
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import SettingsError
from crane_infra.live.account import open_account
from crane_infra.live.at_once import all_at_once
from crane_infra.live.first_update import as_used, scripts_with
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.schemas import read_schema_files, schema_files_of

T = TypeVar("T")


@dataclass(frozen=True)
class ManagedDatabase:
    """One database, called ``name`` in the catalog, with its migration files."""

    name: str
    db: D1
    schema: SchemaFiles


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
    released = {name: outputs.database_id(name) or settings.databases[name].adopted for name in names}
    created = created_databases(settings.environment) if None in released.values() else {}
    ids = {name: known or _created(settings, created, name) for name, known in released.items()}
    schemas = {name: schema_files_of(settings, name, *read_schema_files(catalog.databases[name], settings.workers_dir)) for name in names}
    async with open_account(settings) as account:
        for name in names:
            if released[name] is None:
                schemas[name] = await as_used(account, schemas[name], scripts_with(settings, catalog, name), ids[name])
        yield [ManagedDatabase(name, account.database(ids[name], settings.databases[name].name), schemas[name]) for name in names]


def for_each_database(
    settings: Settings, catalog: Catalog, outputs: StackOutputs, only: str | None, work: Callable[[ManagedDatabase], Awaitable[T]]
) -> list[T]:
    """Do ``work`` with each database of a stack, or the one called ``only``, all at once; raises as ``managed`` does."""

    async def each() -> list[T]:
        async with managed(settings, catalog, outputs, only) as databases:
            return await all_at_once(map(work, databases))

    return asyncio.run(each())


def _created(settings: Settings, created: Mapping[str, str], name: str) -> str:
    if name not in created:
        stack = settings.environment
        todo = f"Run pulumi up -s {stack}, or set adopt to the id of an existing database"
        raise SettingsError(f"database {name}", f"stack {stack} has not created it yet", todo)
    return created[name]
