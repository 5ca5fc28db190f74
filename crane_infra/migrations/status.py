"""Looks at a database and judges it. Reads, never writes."""

from crane_infra.d1.database import DatabaseClient
from crane_infra.migrations.drift import read_accepted
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.judgement import Judgement, compare_schema, judge
from crane_infra.migrations.ledger import Ledger, read_ledger


async def status_of(db: DatabaseClient, schema: SchemaFiles) -> Judgement:
    """Read the ledger of a database and judge it; raises ApiError, and MigrationError where its ledger cannot be read."""
    return await judge_live(db, schema, await read_ledger(db, ready=schema.has_ledger))


async def judge_live(db: DatabaseClient, schema: SchemaFiles, ledger: Ledger) -> Judgement:
    """Judge a database whose ledger was just read, its live schema included; raises ApiError."""
    judgement = judge(db.name, schema, ledger)
    return compare_schema(judgement, schema, await read_accepted(db, ledger)) if judgement.needs_comparison else judgement
