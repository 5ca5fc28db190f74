"""The databases of a stack, for commands that work on them without Pulumi: which they are, and the files that belong to them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.errors import SettingsError
from crane_infra.live.account import connect
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.release.schemas import read_schema_files, wanted_of


@dataclass(frozen=True)
class Managed:
    """One database, called ``name`` in the catalog, and what it is to hold."""

    name: str
    db: D1
    wanted: SchemaFiles


@asynccontextmanager
async def managed(
    settings: Settings, catalog: Catalog, outputs: Mapping[str, Any], only: str | None = None
) -> AsyncIterator[list[Managed]]:
    """The databases of a stack, or the one called ``only`` in the catalog.

    Raises SettingsError where there is no such database, or it was not made yet; MigrationError where its files cannot be read.
    """
    if only is not None and only not in catalog.databases:
        raise SettingsError(f"database {only}", "the catalog has no such database", "Use one of " + ", ".join(catalog.databases))
    names = [only] if only else list(catalog.databases)
    ids = {name: _id(settings, outputs, name) for name in names}
    files = {name: read_schema_files(catalog.databases[name], settings.workers_dir) for name in names}
    async with connect(settings) as client:
        databases = {name: D1(client, settings.account_id, ids[name], settings.databases[name].name) for name in names}
        yield [Managed(name, databases[name], wanted_of(settings, name, *files[name])) for name in names]


def _id(settings: Settings, outputs: Mapping[str, Any], name: str) -> str:
    known = ((outputs.get("environment") or {}).get("databases") or {}).get(name, {}).get("id")
    found = known or settings.databases[name].adopt
    if found is None:
        stack = settings.environment
        raise SettingsError(f"database {name}", f"stack {stack} has not made it yet", f"Run pulumi up -s {stack}, or name it with adopt")
    return str(found)
