"""Compares the schema of a database with the one that its migrations make, apart from what somebody accepted. Reads, never writes.

What ``crane migrations baseline --accept`` accepted is recorded in the database itself, with the last migration applied at that time: later
files change an accepted object like any other.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crane_infra.d1.database import DatabaseClient
from crane_infra.errors import MigrationError
from crane_infra.migrations.files.names import BEFORE_ALL, Order, order_of
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, from_empty
from crane_infra.migrations.ledger import Ledger, read_accepted_rows
from crane_infra.migrations.sqlite.schema import Schema, as_schema, difference, differing, schema_after

AcceptedObjects = Mapping[Order, Mapping[str, str | None]]
"""Accepted objects by the place of the migration after which they were accepted: the SQL of each, None for one that is gone."""


class Drift(NamedTuple):
    """The expected and the live schema of one database."""

    database: str
    expected: Schema
    live: Schema

    @property
    def objects(self) -> list[str]:
        """The objects that differ, by kind and name: ``table sessions``."""
        return differing(self.expected, self.live)

    @property
    def diff(self) -> str:
        """The differences as a unified diff; empty where there are none."""
        return difference(self.expected, self.live)

    def error(self, base: MigrationFile | None = None) -> "SchemaDiffersError":
        """The refusal of a run; ``base`` is a base schema whose digest the ledger does not know, so that it may have been edited."""
        what = f"its schema differs from the one that its migrations make ({', '.join(self.objects)}), so nothing was applied"
        accept = " ".join(f"--accept '{name}'" for name in self.objects)
        todo = (
            "Restore the schema by hand (crane migrations verify shows the difference), or accept it as it is: "
            f"crane migrations baseline -s <stack> -d <its name in the catalog> {accept}"
        )
        edited = f"If {base.path} was edited since, restore it. " if base else ""
        return SchemaDiffersError(self, what, edited + todo)


class SchemaDiffersError(MigrationError):
    """The live schema is not the expected one; ``objects`` differ, and ``diff`` shows the difference, in several lines."""

    def __init__(self, drift: Drift, what: str, todo: str) -> None:
        self.diff, self.objects = drift.diff, tuple(drift.objects)
        super().__init__(drift.database, what, todo)


async def look_for_drift(db: DatabaseClient, schema: SchemaFiles, ledger: Ledger) -> Drift:
    """Compare the live schema, as it was read with the ledger, with the one that the applied files make.

    Raises ApiError, and MigrationError for an applied file that this machine's SQLite refuses.
    """
    return drift_of(db.name, schema, ledger, await read_accepted(db, ledger))


def drift_of(database: str, schema: SchemaFiles, ledger: Ledger, accepted: AcceptedObjects) -> Drift:
    """Compare both schemas of the database called ``database`` (pure); raises MigrationError as ``look_for_drift`` does."""
    return Drift(database, _expected(ledger, schema.files, schema.base, accepted), as_schema(ledger.objects))


async def expected_of(db: DatabaseClient, ledger: Ledger, files: Sequence[MigrationFile], base: MigrationFile | None) -> Schema:
    """The schema that a database should have, by its ledger and by what was accepted; raises as ``look_for_drift`` does."""
    return _expected(ledger, files, base, await read_accepted(db, ledger))


async def read_accepted(db: DatabaseClient, ledger: Ledger) -> AcceptedObjects:
    """Which differences were accepted, asked for where they were not read with the ledger; none where its tables do not exist yet. Raises ApiError."""
    if not ledger.ready:
        return {}
    accepted: dict[Order, dict[str, str | None]] = {}
    for row in await read_accepted_rows(db) if ledger.accepted is None else ledger.accepted:
        accepted.setdefault(BEFORE_ALL if row.token is None else order_of(row.token), {})[row.name] = row.sql
    return accepted


def _expected(ledger: Ledger, files: Sequence[MigrationFile], base: MigrationFile | None, accepted: AcceptedObjects) -> Schema:
    applied = [file for file in files if ledger.entry(file.name)]
    ordered = from_empty(applied, base) if ledger.entries or ledger.base else ()
    schema: Schema = {}
    done = 0
    for after, objects in sorted(accepted.items()):
        part = [file for file in ordered[done:] if file.order <= after]
        schema, done = _overlaid(schema_after(schema, part), objects), done + len(part)
    return schema_after(schema, ordered[done:])


def _overlaid(schema: Schema, objects: Mapping[str, str | None]) -> Schema:
    unchanged = {name: sql for name, sql in schema.items() if name not in objects}
    return unchanged | {name: sql for name, sql in objects.items() if sql is not None}
