"""Before the first resource: which migrations are pending in each database by its own ledger, and which of them a run would refuse.

Asks the databases and changes nothing; the hooks look again before they apply. The state alone would not do: wrangler may have applied a file
since, and Time Travel may have taken one back.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.config.settings import Settings
from crane_infra.errors import ApiError, MigrationError, refuse
from crane_infra.live.account import Account, open_account
from crane_infra.live.first_update import as_used, left_database, scripts_with
from crane_infra.migrations.costs import with_costs
from crane_infra.migrations.files.names import listed
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.judgement import Judgement, judge
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.plan import Plan
from crane_infra.migrations.status import status_of
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.announce.migration_lines import cost_lines, migration_lines
from crane_infra.program.preparation import Prepared
from crane_infra.release.schemas import left_out_of, schema_files_of

Judgements = Mapping[str, Judgement]
"""By the databases' names in the catalog."""


def announce_migrations(prepared: Prepared, ledgers: Future[Judgements]) -> Judgements | None:
    """Log in a preview what is pending in each database; refuse, in an update too, what a run would refuse.

    Returns where each database stands; None where a preview could not read the ledgers, which it logs. Raises MigrationError; in an update
    ApiError where a database does not answer.
    """
    if pulumi.runtime.is_dry_run():
        log(_left_out(prepared))
    try:
        statuses = ledgers.result()
    except ApiError as error:
        shown = ApiError(*map(prepared.redact, (error.where, error.what, error.todo)))
        if not pulumi.runtime.is_dry_run():
            raise shown from None
        pulumi.log.warn(f"This preview cannot read the ledgers, so it shows the pending migrations that Pulumi recorded: {shown}")
        return None
    refuse([error for status in statuses.values() if status.refusal for error in _single(status.refusal)])
    if pulumi.runtime.is_dry_run():
        for status in statuses.values():
            log(migration_lines(status))
            log(cost_lines(status, prepared.redact))
    return statuses


def _single(refusal: MigrationError) -> list[MigrationError]:
    return [error for error in refusal.errors if isinstance(error, MigrationError)]


def _left_out(prepared: Prepared) -> Iterator[Line]:
    for database in prepared.catalog.databases.values():
        if left_out := left_out_of(database, prepared.settings.workers_dir):
            yield Line(f"{database.migrations}: left out, because they are no migrations: {listed(left_out)}")


async def look_at_ledgers(prepared: Prepared, *, counts_costs: bool = False) -> Judgements:
    """Where each database stands; empty for a rollback, which applies nothing (expected_migrations.py looks). Raises ApiError and MigrationError.

    ``counts_costs``: also count the rows that the pending files take.
    """
    if prepared.settings.rollback_to:
        return {}
    names = list(prepared.release.migrations)
    async with open_account(prepared.settings) as account:
        statuses = await all_at_once(_look_at(account, prepared, name, counts_costs=counts_costs) for name in names)
    return dict(zip(names, statuses, strict=True))


async def _look_at(account: Account, prepared: Prepared, name: str, *, counts_costs: bool) -> Judgement:
    database, schema = prepared.settings.databases[name], _schema_files(prepared, name)
    database_id = prepared.database_id(name)
    if database_id is None:
        return await _look_at_new(account, prepared, name, schema)
    client = account.database(database_id, database.name)
    try:
        status = await status_of(client, schema)
    except ApiError:
        if await account.database_name(database_id) is not None:
            raise
        return Judgement(database.name, Ledger(), Plan(), refusal=_deleted(prepared.settings, name, database_id))
    if database_id == prepared.last.database_id(name):
        _require_not_behind(prepared, name, status)
    return await with_costs(client, status) if counts_costs else status


async def _look_at_new(account: Account, prepared: Prepared, name: str, schema: SchemaFiles) -> Judgement:
    """A database that no release has: an update creates it, unless one that failed has done so."""
    settings = prepared.settings
    shown = settings.databases[name].name
    if (database_id := await left_database(account, shown)) is None:
        return judge(shown, schema, Ledger())
    used = await as_used(account, schema, scripts_with(settings, prepared.catalog, name), database_id)
    return await status_of(account.database(database_id, shown), used)


def _deleted(settings: Settings, name: str, database_id: str) -> MigrationError:
    """The engine would call it unchanged or, after a refresh, create an empty one without a word."""
    stack, shown = settings.environment, settings.databases[name].name
    start = f"pulumi config set -s {stack} --path databases.{name}.recreate {database_id}, then pulumi refresh -s {stack}"
    todo = f"To start with an empty one on purpose: {start}. To go on with another one that has its rows, set adopt to its id as well"
    return MigrationError(f"database {shown}", f"{database_id} was deleted at Cloudflare, with all its rows", todo)


def _schema_files(prepared: Prepared, name: str) -> SchemaFiles:
    release = prepared.release
    schema = schema_files_of(prepared.settings, name, release.migrations[name], release.bases.get(name))
    return replace(schema, has_ledger=bool(prepared.last.migrations(name)))


def _require_not_behind(prepared: Prepared, name: str, status: Judgement) -> None:
    """Refuse a database that was restored to an earlier state, which the engine cannot see: it compares with its own record."""
    recorded = prepared.last.migrations(name)
    if lost := [file.name for file in status.plan.apply if file.name in recorded]:
        stack, database = prepared.settings.environment, status.database
        what = f"its ledger lacks {lost[0]}, which this stack has applied: the database was restored to an earlier state"
        todo = f"If intended, apply the migrations again: crane migrations apply -s {stack} -d {name}. Otherwise restore the newer state"
        raise MigrationError(f"database {database}", what, f"{todo}: wrangler d1 time-travel info {database}")
