"""Before the first resource: which migrations are pending in each database by its own ledger, and what a run would refuse of them.

Asks the databases, changes nothing. The hooks look again before they apply. Prevents a preview that tells what Pulumi recorded while
wrangler, or a restored bookmark, made something else true; and an update that uploads workers before it finds out.
"""

import asyncio
from concurrent.futures import Future

import pulumi

from crane_infra.errors import ApiError, MigrationError
from crane_infra.live.account import open_account
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.judgement import Judgement, judge
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.pending_line import _TAKEN_OVER, UNSEEN, pending_line
from crane_infra.migrations.status import status_of
from crane_infra.program.preparation import Prepared
from crane_infra.release.schemas import schema_files_of


def announce_migrations(prepared: Prepared, looked: Future[list[Judgement]]) -> None:
    """Say in a preview what is pending in each database; refuse, in an update too, what a run would refuse.

    Raises MigrationError; in an update ApiError where a database does not answer. A preview says that it could not look, and goes on.
    """
    try:
        found = looked.result()
    except ApiError as error:
        told = ApiError(*map(prepared.redact, (error.where, error.what, error.todo)))
        if not pulumi.runtime.is_dry_run():
            raise told from None
        pulumi.log.warn(f"{UNSEEN}: {told}")
        return
    for status in found:
        if status.refusal:
            raise status.refusal
        if pulumi.runtime.is_dry_run():
            _say(status)


async def look_at_ledgers(prepared: Prepared) -> list[Judgement]:
    """Where each database stands; none for a rollback, which applies nothing (rollback.py looks). Raises ApiError and MigrationError."""
    if prepared.settings.rollback_to:
        return []
    async with open_account(prepared.settings) as account:

        async def one(name: str) -> Judgement:
            own, wanted = prepared.settings.databases[name], _wanted(prepared, name)
            database_id = prepared.last.database_id(name) or own.adopt
            if database_id is None:
                return judge(own.name, wanted, Ledger())
            try:
                status = await status_of(account.database(database_id, own.name), wanted)
            except ApiError:
                if await account.database_name(database_id) is not None:
                    raise
                # A refresh tells the engine that it is gone, and a new one is made; without a refresh the schema step fails.
                return judge(own.name, wanted, Ledger())
            _require_not_behind(prepared, name, status)
            return status

        return list(await asyncio.gather(*map(one, prepared.release.migrations)))


def _wanted(prepared: Prepared, name: str) -> SchemaFiles:
    release = prepared.release
    return schema_files_of(prepared.settings, name, release.migrations[name], release.bases.get(name))


def _require_not_behind(prepared: Prepared, name: str, status: Judgement) -> None:
    """A database that lacks what this stack has applied was set back; the engine, which compares with its own record, would not see it."""
    recorded = prepared.last.migrations(name)
    if gone := [file.name for file in status.plan.apply if file.name in recorded]:
        stack, database = prepared.settings.environment, status.database
        what = f"its ledger lacks {gone[0]}, which this stack has applied: it was set back, by Time Travel or by hand"
        todo = f"If that is meant, apply it again: crane migrations apply -s {stack} -d {name}. If not, go forward again"
        raise MigrationError(f"database {database}", what, f"{todo}: wrangler d1 time-travel info {database}")


def _say(status: Judgement) -> None:
    if status.plan.adopt:
        pulumi.log.info(f"{status.database}{_TAKEN_OVER}{', '.join(file.name for file in status.plan.adopt)}")
    for one in status.examined:
        pulumi.log.info(pending_line(status.database, one))
        for finding in one.findings:
            pulumi.log.warn(f"{status.database}: {finding}")
