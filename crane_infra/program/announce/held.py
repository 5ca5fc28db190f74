"""Bringing an older proven release back: which migrations its databases keep although its own files lack them. Pure but for reading ledgers.

Applies and undoes nothing: databases are not rolled back. Prevents a rollback onto a database whose state nobody has proven.
"""

import asyncio

import pulumi

from crane_infra.d1.client import D1
from crane_infra.errors import SettingsError
from crane_infra.live.account import connect
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.program.background import blocking
from crane_infra.program.preparation import Prepared
from crane_infra.release.gate import Verdict
from crane_infra.release.rollback import Held, hold, migrations_after


def held_migrations(prepared: Prepared, verdict: Verdict | None) -> Held:
    """What the ledger of each database has to hold once this release runs: its files and, in a rollback, what came after them.

    Raises MigrationError where a ledger holds what no newer proof lists or lacks what the release needs; ApiError where D1 does not
    answer.
    """
    files = prepared.release.migrations
    if prepared.settings.rollback_to is None or verdict is None or verdict.proof is None:
        return files
    ledgers = blocking(_ledgers(prepared))
    later = migrations_after(prepared.staging or {}, verdict.proof)
    held = {name: hold(own, later.get(name, ()), ledgers[name], prepared.settings.databases[name].name) for name, own in files.items()}
    for name, own in files.items():
        for file in held[name][len(own) :]:
            pulumi.log.info(f"{prepared.settings.databases[name].name} keeps {file.name}, which this release does not know")
    return held


async def _ledgers(prepared: Prepared) -> dict[str, Ledger]:
    settings = prepared.settings
    known = (prepared.last.get("environment") or {}).get("databases") or {}
    if missing := sorted(set(prepared.release.migrations) - set(known)):
        where = f"Pulumi.{settings.environment}.yaml rollback-to"
        raise SettingsError(
            where, f"this stack has no database {missing[0]} yet, so there is nothing to go back from", "Remove rollback-to"
        )
    async with connect(settings) as client:
        names = list(prepared.release.migrations)
        found = [D1(client, settings.account_id, known[name]["id"], settings.databases[name].name) for name in names]
        return dict(zip(names, await asyncio.gather(*map(read_ledger, found)), strict=True))
