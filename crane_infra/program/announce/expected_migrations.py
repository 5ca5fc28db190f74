"""Finds the migrations that each database has to hold once the run is done: in a rollback, also newer ones than the release has.

Reads the ledgers. Applies and undoes nothing: a rollback leaves the databases as they are.
"""

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.errors import SettingsError
from crane_infra.live.account import open_account
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.gate import Verdict
from crane_infra.release.rollback import ExpectedMigrations, expected_after_rollback, migrations_after


def expected_migrations(prepared: Prepared, verdict: Verdict | None) -> ExpectedMigrations:
    """What the ledger of each database has to hold once this release runs: its files and, in a rollback, what came after them.

    Raises MigrationError where a ledger has an entry that no newer proof lists, or lacks one that the release needs; ApiError where D1
    fails.
    """
    files = prepared.release.migrations
    if prepared.settings.rollback_to is None or verdict is None or verdict.proof is None:
        return files
    ledgers = blocking(_ledgers(prepared))
    later = migrations_after(prepared.staging.raw, verdict.proof)
    databases = {name: prepared.settings.databases[name].name for name in files}
    expected = {
        name: expected_after_rollback(released, later.get(name, ()), ledgers[name], databases[name]) for name, released in files.items()
    }
    for name, released in files.items():
        for file in expected[name][len(released) :]:
            pulumi.log.info(f"{databases[name]} keeps {file.name}, which this release does not have")
    return expected


async def _ledgers(prepared: Prepared) -> dict[str, Ledger]:
    settings = prepared.settings
    ids = {name: prepared.database_id(name) for name in prepared.release.migrations}
    if missing := sorted(name for name, database_id in ids.items() if database_id is None):
        what = f"this stack has no database {missing[0]} yet, so there is nothing to roll back"
        todo = "Remove rollback-to; or set adopt to its id, if the database is there and a later release let go of it"
        raise SettingsError(f"{settings.file} rollback-to", what, todo)
    async with open_account(settings) as account:
        databases = [account.database(database_id or "", settings.databases[name].name) for name, database_id in ids.items()]
        return dict(zip(ids, await all_at_once(map(read_ledger, databases)), strict=True))
