"""The seeds of the catalog's databases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from crane_infra.config.catalog import Catalog
from crane_infra.data.seeds.files import Seed, read_seeds, try_seeds
from crane_infra.migrations.files.read import MigrationFile, from_empty


class SchemaOfAll(Protocol):
    """The migrations and base schemas of all databases, by their names in the catalog; a release has them."""

    @property
    def migrations(self) -> Mapping[str, Sequence[MigrationFile]]:
        """The migrations of each database."""

    @property
    def bases(self) -> Mapping[str, MigrationFile]:
        """The base schemas of those that have one."""


def seeds_of(catalog: Catalog, workers_dir: Path) -> dict[str, tuple[Seed, ...]]:
    """The seeds of each database that has a folder of them. Raises MigrationError as ``read_seeds`` does.

    A folder that does not exist holds no seeds: git keeps no empty folder.
    """
    return {
        name: read_seeds(workers_dir / database.seeds, database.seeds)
        for name, database in catalog.databases.items()
        if database.seeds is not None and (workers_dir / database.seeds).is_dir()
    }


def try_all_seeds(seeds: Mapping[str, Sequence[Seed]], schemas: SchemaOfAll) -> None:
    """Try the seeds of each database. Raises MigrationError as ``try_seeds`` does."""
    for name, those in seeds.items():
        try_seeds(those, from_empty(schemas.migrations[name], schemas.bases.get(name)))
