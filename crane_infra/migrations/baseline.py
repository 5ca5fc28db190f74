"""Taking on a database as it is: compared with what the files make, then recorded, if both agree or each difference was named.

Runs no migration. Prevents a ledger that says of a database what nobody has looked at.
"""

from collections.abc import Collection, Sequence
from uuid import uuid4

from crane_infra.d1.database import Database
from crane_infra.errors import MigrationError
from crane_infra.migrations.drift import Drift, SchemaDiffersError, look_for_drift
from crane_infra.migrations.files.read import MigrationFile, from_empty
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.requests import accept_request, baseline_request, prepare_request
from crane_infra.migrations.sqlite.schema import Schema, expected_schema, live_schema


async def take_on(
    db: Database, files: Sequence[MigrationFile], base: MigrationFile | None, upto: int | None, accept: Collection[str] = ()
) -> tuple[str, ...]:
    """Record the migrations up to number ``upto`` (None: all) as done, without running them, and return their names.

    Every difference between the live schema and the one that these files make has to be named in ``accept`` (``table sessions``), and is
    expected from then on. Where the ledger is not empty only what is accepted is recorded. Raises MigrationError where there is nothing to
    record, where the schemas differ, or where ``accept`` names no difference.
    """
    ledger = await read_ledger(db)
    if ledger.entries:
        return await _accept(db, files, base, ledger, accept)
    held = tuple(file for file in files if upto is None or file.number <= upto)
    expected = expected_schema(from_empty(held, base if base and base.number <= (upto or base.number) else None))
    drift = Drift(db.name, expected, await live_schema(db))
    _require_named(drift, accept, "Choose the files with --up-to, mend the schema, or name each difference with --accept")
    token = uuid4().hex
    last = held[-1].name if held else None
    record = [*baseline_request(held, token, "baseline"), *accept_request(_seen(drift.live, accept), last)]
    await db.write([*prepare_request((), token, "baseline"), *record])
    return tuple(file.name for file in held)


async def _accept(
    db: Database, files: Sequence[MigrationFile], base: MigrationFile | None, ledger: Ledger, accept: Collection[str]
) -> tuple[str, ...]:
    if not accept:
        what = f"its ledger has {len(ledger.entries)} migrations already, up to {ledger.head.name}"
        raise MigrationError(db.name, what, "There is nothing to take on; --accept records a difference of its schema")
    drift = await look_for_drift(db, ledger, files, base)
    _require_named(drift, accept, "Mend the schema, or name each difference with --accept")
    token = uuid4().hex
    await db.write([*prepare_request((), token, "baseline"), *accept_request(_seen(drift.live, accept), ledger.head.name)])
    return tuple(sorted(accept))


def _seen(live: Schema, accept: Collection[str]) -> dict[str, str | None]:
    return {name: live.get(name) for name in sorted(accept)}


def _require_named(drift: Drift, accept: Collection[str], todo: str) -> None:
    if unknown := sorted(set(accept) - set(drift.objects)):
        only = f"Accept only what differs: {', '.join(drift.objects) or 'nothing does'}"
        raise MigrationError(drift.database, f"{unknown[0]} is no difference", only)
    if open_ones := [name for name in drift.objects if name not in accept]:
        raise SchemaDiffersError(drift, f"its schema is not what these files make ({', '.join(open_ones)})", todo)
