"""Is the schema of a database still what its migrations make, apart from what somebody has accepted? Reads, never writes.

What was accepted (``crane migrations baseline --accept``) stands in the database itself, with the migration after which it was: later files
change it like everything else. Prevents a migration that was written for one schema from running on another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crane_infra.d1.database import Database
from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile, from_empty, number_of
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.own_tables import ACCEPTED
from crane_infra.migrations.sqlite.schema import Schema, as_schema, difference, differing, schema_after


@dataclass(frozen=True)
class Drift:
    """Both schemas of one database, and what differs."""

    database: str
    expected: Schema
    live: Schema

    @property
    def objects(self) -> list[str]:
        """What differs, by kind and name."""
        return differing(self.expected, self.live)

    @property
    def told(self) -> str:
        """The difference as a unified diff; empty where there is none."""
        return difference(self.expected, self.live)

    def error(self) -> "SchemaDiffersError":
        """The refusal of a run."""
        what = f"its schema is not what its migrations make ({', '.join(self.objects)}), so nothing was applied"
        accept = " ".join(f"--accept '{name}'" for name in self.objects)
        todo = (
            "Put it back by hand (crane migrations verify shows the difference), or take it as it is: "
            f"crane migrations baseline -s <stack> -d <its name in the catalog> {accept}"
        )
        return SchemaDiffersError(self, what, todo)


class SchemaDiffersError(MigrationError):
    """The live schema is another one; ``told`` has the difference, in several lines."""

    def __init__(self, drift: Drift, what: str, todo: str) -> None:
        self.told = drift.told
        super().__init__(drift.database, what, todo)


async def look_for_drift(db: Database, ledger: Ledger, files: Sequence[MigrationFile], base: MigrationFile | None) -> Drift:
    """Compare the live schema, as it was read with the ledger, with the one that the applied ``files`` make.

    Raises ApiError, and MigrationError for an applied file that this machine's SQLite refuses.
    """
    return Drift(db.name, await expected_of(db, ledger, files, base), as_schema(ledger.objects))


async def expected_of(db: Database, ledger: Ledger, files: Sequence[MigrationFile], base: MigrationFile | None) -> Schema:
    """The schema that a database should have, by its ledger and by what was accepted.

    Raises as ``look_for_drift``.
    """
    applied = [file for file in files if ledger.entry(file.name)]
    made = from_empty(applied, base) if ledger.entries or ledger.base else ()
    schema: Schema = {}
    done = 0
    for number, changes in sorted((await _accepted(db) if ledger.ready else {}).items()):
        part = [file for file in made[done:] if file.number <= number]
        schema, done = _overlaid(schema_after(schema, part), changes), done + len(part)
    return schema_after(schema, made[done:])


async def _accepted(db: Database) -> dict[int, dict[str, str | None]]:
    """What was accepted, by the number of the migration after which it was: the SQL of each object, None for one that was not there."""
    found: dict[int, dict[str, str | None]] = {}
    for row in await db.read(f'SELECT object, sql, "after" FROM {ACCEPTED} ORDER BY object'):  # noqa: S608 - a name of ours
        number = number_of(str(row["after"])) if row["after"] is not None else None
        found.setdefault(-1 if number is None else number, {})[str(row["object"])] = None if row["sql"] is None else str(row["sql"])
    return found


def _overlaid(schema: Schema, changes: dict[str, str | None]) -> Schema:
    kept = {name: sql for name, sql in schema.items() if name not in changes}
    return kept | {name: sql for name, sql in changes.items() if sql is not None}
