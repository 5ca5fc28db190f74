"""Proposes and checks the rules of the catalog for production's rows in staging, for ``crane data rules``."""

from collections.abc import Iterator
from pathlib import Path

from crane_infra.config.catalog import Catalog
from crane_infra.counted import counted
from crane_infra.data.scrub.of_files import database_of
from crane_infra.data.scrub.propose import catalog_lines, proposals
from crane_infra.data.scrub.rules import require_rules
from crane_infra.errors import ScrubError, SettingsError, refuse
from crane_infra.migrations.files.read import from_empty
from crane_infra.release.schemas import read_schema_files


def propose_rules(catalog: Catalog, workers_dir: Path, only: str | None) -> Iterator[str]:
    """The proposed rules of each database as lines of the catalog, and below them what looks personal.

    Raises SettingsError for a database that is not in the catalog, MigrationError for files that cannot be read.
    """
    for name in _names(catalog, only):
        with database_of(from_empty(*read_schema_files(catalog.databases[name], workers_dir))) as (_, schema):
            yield f"# {name}: read each line before you put it into crane_infra/catalog.py"
            yield from catalog_lines(schema)
            personal = [each for each in proposals(schema) if each.looks_like]
            yield f"# {name}: {counted(len(personal), 'column')} {'looks' if len(personal) == 1 else 'look'} personal: {', '.join(f'{each.table}.{each.column}' for each in personal) or 'none'}"


def check_rules(catalog: Catalog, workers_dir: Path, only: str | None) -> Iterator[str]:
    """A line for each database whose rules fit its files. Raises ScrubError with all faults of all databases."""
    lines, errors = list[str](), list[ScrubError]()
    for name in _names(catalog, only):
        with database_of(from_empty(*read_schema_files(catalog.databases[name], workers_dir))) as (db, schema):
            try:
                plans = require_rules(db, name, schema, catalog.databases[name].staging_rows)
            except ScrubError as error:
                errors += [each for each in error.errors if isinstance(each, ScrubError)]
            else:
                masked = sum(len(plan.masked) for plan in plans)
                lines.append(f"{name}: {counted(len(plans), 'table')} with rules, {counted(masked, 'column')} masked")
    refuse(errors)
    yield from lines


def _names(catalog: Catalog, only: str | None) -> list[str]:
    if only is not None and only not in catalog.databases:
        raise SettingsError(f"database {only}", "is not in the catalog", "Use one of " + ", ".join(catalog.databases))
    return [only] if only else list(catalog.databases)
