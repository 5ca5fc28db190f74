"""Baselines an existing database: compares its schema with the files, then records the files as applied. Runs no migration.

Every difference has to be accepted by name, so the ledger never claims what nobody has looked at.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from crane_infra.counted import counted
from crane_infra.d1.database import BoundStatement, DatabaseClient
from crane_infra.errors import MigrationError
from crane_infra.migrations.drift import Drift, SchemaDiffersError, look_for_drift, read_accepted
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.fitting import count_up_to, data_files_after, data_files_before, fitting_count, prefix_of, schemas_of
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.requests import accept_request, base_record, baseline_request, prepare_request
from crane_infra.migrations.sqlite.schema import Schema, expected_schema, live_schema


@dataclass(frozen=True)
class Claim:
    """What somebody knows of a database that has no ledger.

    ``up_to`` is the number or the name of the last migration that it contains (None: all). ``accept`` names every difference between the live
    schema and the one that these files make (``table sessions``). ``pending`` names files after ``up_to`` that only change data and that the
    database does not have.
    """

    up_to: str | None = None
    accept: Collection[str] = ()
    pending: Collection[str] = ()


async def record_baseline(db: DatabaseClient, schema: SchemaFiles, claim: Claim) -> tuple[str, ...]:
    """Record the migrations that ``claim`` names as applied, without running them, and return their names.

    Accepted differences are expected from then on. Where the ledger is not empty only these are recorded, and their names returned. Raises
    MigrationError where there is nothing to record, where the schemas differ, where the schema cannot tell whether a file was applied and the
    claim does not, or where ``accept`` names something that does not differ.
    """
    ledger = await read_ledger(db)
    return await (_accept(db, schema, ledger, claim.accept) if ledger.entries else _record(db, schema, claim))


async def _record(db: DatabaseClient, schema: SchemaFiles, claim: Claim) -> tuple[str, ...]:
    count = count_up_to(schema.files, claim.up_to)
    recorded, live, schemas = schema.files[:count], await live_schema(db), schemas_of(schema)
    drift = Drift(db.name, expected_schema(prefix_of(schema, count)), live)
    _require_accepted(drift, claim.accept, _proposal(schema.files, fitting_count(schemas, live, claim.accept)))
    _require_decided(db.name, schema.files, schemas, count, claim)
    base = schema.base if schema.base in prefix_of(schema, count) else None
    await _write(db, drift, recorded, claim.accept, recorded[-1].name if recorded else None, base)
    return tuple(file.name for file in recorded)


def _proposal(files: Sequence[MigrationFile], fitting: int | None) -> str:
    others = "fix the schema, or name each difference with --accept"
    if not fitting:
        return f"Choose the files with --up-to, {others}"
    last = files[fitting - 1].name
    return f"Its schema is the one of the files up to {last}: use --up-to {last}. Or {others}"


def _require_decided(database: str, files: Sequence[MigrationFile], schemas: Sequence[Schema], count: int, claim: Claim) -> None:
    """Refuse where the schema cannot tell whether files were applied that only change data, and the claim does not say so."""
    if claim.up_to is None:
        first = count - data_files_before(schemas, count)
        names = [file.name for file in files[first:count]]
        before = files[first - 1].name if first else "0"
        todo = f"Say whether it has them: --up-to {names[-1]} if it has, --up-to {before} if it has not" if names else ""
    else:
        later = files[count : count + data_files_after(schemas, count)]
        names = [file.name for file in later if file.name not in claim.pending]
        flags = " ".join(f"--pending {name}" for name in names)
        todo = f"If it has them, use --up-to {names[-1]}; if they still have to run, add {flags}" if names else ""
    if names:
        what = f"its schema cannot tell whether {' and '.join(names)} ran: {'they only change' if names[1:] else 'it only changes'} data"
        raise MigrationError(database, what, todo)


async def _accept(db: DatabaseClient, schema: SchemaFiles, ledger: Ledger, accept: Collection[str]) -> tuple[str, ...]:
    if not accept:
        what = f"its ledger already has {counted(len(ledger.entries), 'migration')}, up to {ledger.head.name}"
        raise MigrationError(db.name, what, "It needs no baseline. To record a difference of its schema, name it with --accept")
    drift = await look_for_drift(db, schema, ledger)
    _require_accepted(drift, accept, "Fix the schema, or name each difference with --accept")
    await _write(db, drift, (), accept, ledger.head.name)
    return tuple(sorted(accept))


async def _write(
    db: DatabaseClient,
    drift: Drift,
    files: Sequence[MigrationFile],
    accept: Collection[str],
    after: str | None,
    base: MigrationFile | None = None,
) -> None:
    token = uuid4().hex
    objects = {name: drift.live.get(name) for name in sorted(accept)}
    request: list[BoundStatement] = [
        *prepare_request((), token, "baseline"),
        *baseline_request(files, token, "baseline"),
        *([base_record(base, uuid4().hex, "baseline")] if base else []),
        *accept_request(objects, after),
    ]
    await db.write(request)
    await _require_recorded(db, files, objects)


async def _require_recorded(db: DatabaseClient, files: Sequence[MigrationFile], objects: Mapping[str, str | None]) -> None:
    """Read back what was written: a reply that reports success proves nothing."""
    ledger = await read_ledger(db)
    settled = {entry.name for entry in ledger.entries if entry.settled}
    accepted = {name for recorded in (await read_accepted(db, ledger)).values() for name in recorded}
    missing = [file.name for file in files if file.name not in settled] + [name for name in objects if name not in accepted]
    if missing:
        what = f"D1 reported success, but the ledger has no record of {missing[0]}"
        raise MigrationError(db.name, what, "Run the same command again")


def _require_accepted(drift: Drift, accept: Collection[str], todo: str) -> None:
    if unknown := sorted(set(accept) - set(drift.objects)):
        differing = f"Accept only what differs: {', '.join(drift.objects) or 'nothing does'}"
        raise MigrationError(drift.database, f"{unknown[0]} does not differ", differing)
    if remaining := [name for name in drift.objects if name not in accept]:
        raise SchemaDiffersError(drift, f"its schema differs from the one that these files make ({', '.join(remaining)})", todo)
