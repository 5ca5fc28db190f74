"""Baselines an existing database: compares its schema with the files, then records the files as applied. Runs no migration.

Every difference has to be accepted by name, so the ledger never claims what nobody has looked at.
"""

from collections.abc import Collection, Sequence
from uuid import uuid4

from crane_infra.d1.database import BoundStatement, DatabaseClient
from crane_infra.errors import MigrationError
from crane_infra.migrations.drift import Drift, SchemaDiffersError, look_for_drift
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, from_empty
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.requests import accept_request, baseline_request, prepare_request
from crane_infra.migrations.sqlite.schema import expected_schema, live_schema


async def record_baseline(db: DatabaseClient, schema: SchemaFiles, up_to: int | None, accept: Collection[str] = ()) -> tuple[str, ...]:
    """Record the migrations up to number ``up_to`` (None: all) as applied, without running them, and return their names.

    ``accept`` names every difference between the live schema and the one that these files make (``table sessions``); these are expected from
    then on. Where the ledger is not empty only accepted differences are recorded, and their names returned. Raises MigrationError where there
    is nothing to record, where the schemas differ, or where ``accept`` names something that does not differ.
    """
    ledger = await read_ledger(db)
    return await (_accept(db, schema, ledger, accept) if ledger.entries else _record(db, schema, up_to, accept))


async def _record(db: DatabaseClient, schema: SchemaFiles, up_to: int | None, accept: Collection[str]) -> tuple[str, ...]:
    files, base = schema.files, schema.base
    recorded = tuple(file for file in files if up_to is None or not file.is_after(up_to))
    expected = expected_schema(from_empty(recorded, base if base and (up_to is None or not base.is_after(up_to)) else None))
    drift = Drift(db.name, expected, await live_schema(db))
    _require_accepted(drift, accept, "Choose the files with --up-to, fix the schema, or name each difference with --accept")
    await _write(db, drift, recorded, accept, recorded[-1].name if recorded else None)
    return tuple(file.name for file in recorded)


async def _accept(db: DatabaseClient, schema: SchemaFiles, ledger: Ledger, accept: Collection[str]) -> tuple[str, ...]:
    if not accept:
        what = f"its ledger already has {len(ledger.entries)} migrations, up to {ledger.head.name}"
        raise MigrationError(db.name, what, "It needs no baseline. To record a difference of its schema, name it with --accept")
    drift = await look_for_drift(db, schema, ledger)
    _require_accepted(drift, accept, "Fix the schema, or name each difference with --accept")
    await _write(db, drift, (), accept, ledger.head.name)
    return tuple(sorted(accept))


async def _write(db: DatabaseClient, drift: Drift, files: Sequence[MigrationFile], accept: Collection[str], after: str | None) -> None:
    token = uuid4().hex
    objects = {name: drift.live.get(name) for name in sorted(accept)}
    request: list[BoundStatement] = [
        *prepare_request((), token, "baseline"),
        *baseline_request(files, token, "baseline"),
        *accept_request(objects, after),
    ]
    await db.write(request)


def _require_accepted(drift: Drift, accept: Collection[str], todo: str) -> None:
    if unknown := sorted(set(accept) - set(drift.objects)):
        differing = f"Accept only what differs: {', '.join(drift.objects) or 'nothing does'}"
        raise MigrationError(drift.database, f"{unknown[0]} does not differ", differing)
    if remaining := [name for name in drift.objects if name not in accept]:
        raise SchemaDiffersError(drift, f"its schema differs from the one that these files make ({', '.join(remaining)})", todo)
