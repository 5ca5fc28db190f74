"""Taking on a database that has its tables and no ledger: compared with what the files make, then recorded, if both agree.

Runs no migration. Prevents a ledger that says of a database what nobody has looked at.
"""

from collections.abc import Collection, Sequence
from uuid import uuid4

from crane_infra.d1.database import Database
from crane_infra.errors import MigrationError
from crane_infra.migrations.files import MigrationFile, from_empty
from crane_infra.migrations.ledger import baseline_request, prepare_request, read_ledger
from crane_infra.migrations.schema import Schema, difference, expected_schema, live_schema


async def take_on(
    db: Database, files: Sequence[MigrationFile], base: MigrationFile | None, upto: int | None, accept: Collection[str] = ()
) -> tuple[str, ...]:
    """Record the migrations up to number ``upto`` (None: all) as done, without running them, and return their names.

    Every difference between the live schema and the one that these files make has to be named in ``accept`` (``table sessions``).
    Raises MigrationError where the ledger is not empty, where the schemas differ, or where ``accept`` names no difference.
    """
    ledger = await read_ledger(db)
    if ledger.entries:
        head = ledger.head.name
        raise MigrationError(
            db.name, f"its ledger has {len(ledger.entries)} migrations already, up to {head}", "There is nothing to take on"
        )
    held = tuple(file for file in files if upto is None or file.number <= upto)
    expected = expected_schema(from_empty(held, base if base and base.number <= (upto or base.number) else None))
    _require_agreement(db.name, expected, await live_schema(db), accept)
    token = uuid4().hex
    await db.write([*prepare_request((), token, "baseline"), *baseline_request(held, token, "baseline")])
    return tuple(file.name for file in held)


def _require_agreement(name: str, expected: Schema, live: Schema, accept: Collection[str]) -> None:
    differs = {key for key in expected.keys() | live.keys() if expected.get(key) != live.get(key)}
    if unknown := sorted(set(accept) - differs):
        raise MigrationError(
            name, f"{unknown[0]} is no difference", f"Accept only what differs: {', '.join(sorted(differs)) or 'nothing does'}"
        )
    if open_ones := sorted(differs - set(accept)):
        told = f"its schema is not what these files make ({', '.join(open_ones)}):\n{difference(expected, live)}"
        raise SchemaDiffersError(name, told, "Choose the files with --up-to, mend the schema, or name each difference with --accept")


class SchemaDiffersError(MigrationError):
    """The live schema is another one; ``told`` has the difference, in several lines."""

    def __init__(self, where: str, told: str, todo: str) -> None:
        self.told = told
        super().__init__(where, told.partition(":\n")[0], todo)
