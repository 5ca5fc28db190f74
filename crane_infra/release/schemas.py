"""The migrations and base schemas of a release."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crane_infra.config.catalog import CatalogDatabase
from crane_infra.migrations.files.folder import find_migrations
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, read_base, read_migrations

if TYPE_CHECKING:  # the digest of a release needs no settings
    from crane_infra.config.settings import Settings


def read_schema_files(database: CatalogDatabase, workers_dir: Path) -> tuple[tuple[MigrationFile, ...], MigrationFile | None]:
    """Read the migrations of one database, and its base schema, if it has one.

    Raises MigrationError with the path of the file.
    """
    folder, base = workers_dir / database.migrations, None if database.base is None else workers_dir / database.base
    files = read_migrations(folder, shown_as(folder, workers_dir), base)
    return files, None if base is None else read_base(base, shown_as(base, workers_dir), database.baseline)


def shown_as(path: Path, workers_dir: Path) -> str:
    """How messages show a path below the workers folder: relative to the working folder, or else to the parent of the workers folder."""
    full = path.absolute()
    try:
        return full.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return full.relative_to(workers_dir.absolute().parent).as_posix()


def left_out_of(database: CatalogDatabase, workers_dir: Path) -> tuple[str, ...]:
    """What lies in the folder of a database's migrations and is none. Raises MigrationError as ``read_schema_files`` does."""
    folder, base = workers_dir / database.migrations, None if database.base is None else workers_dir / database.base
    return find_migrations(folder, shown_as(folder, workers_dir), base).left_out


def schema_files_of(settings: "Settings", name: str, files: Sequence[MigrationFile], base: MigrationFile | None) -> SchemaFiles:
    """The files that a database should have applied, with the findings that its stack accepts."""
    database = settings.databases[name]
    return SchemaFiles(tuple(files), base, database.accept_findings, database.out_of_order)
