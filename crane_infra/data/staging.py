"""A database of staging, as something that may be written to: nothing of production becomes one.

What writes rows takes a ``StagingDatabase``, and ``staging_database`` is the only way to one, so the direction is fixed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from crane_infra.d1.database import ImportingClient
from crane_infra.errors import DataError


class StagingDatabase(NamedTuple):
    """A database of staging. Make one with ``staging_database``."""

    name: str
    """Its name in the catalog."""
    id: str
    db: ImportingClient


def staging_database(environment: str, name: str, database_id: str, db: ImportingClient, production_ids: Iterable[str]) -> StagingDatabase:
    """The database with this id as one of staging.

    Raises DataError where the environment is not staging, or where production has this id in its outputs or its stack file.
    """
    if environment != "staging":
        raise DataError(f"stack {environment}", "only staging gets rows from seeds and refreshes", "Use -s staging")
    if database_id in set(production_ids):
        what = f"{database_id} is a database of production, so nothing is written to it"
        raise DataError(f"database {db.name}", what, "Give staging its own database in Pulumi.staging.yaml")
    return StagingDatabase(name, database_id, db)


def database_ids(places: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The ids of all databases in other environments' stack files and outputs, as ``config/consistency.py::neighbours`` reads them."""
    databases = [database for place in places.values() for database in (place.get("databases") or {}).values()]
    return frozenset(str(database[key]) for database in databases for key in ("id", "adopt") if database.get(key))
