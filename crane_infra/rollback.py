"""Bringing an older proven release back: which migrations its databases keep although its own files lack them. Pure but for reading ledgers.

Applies and undoes nothing: databases are not rolled back. Prevents a rollback onto a database whose state nobody has proven.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from crane_infra.api import connect
from crane_infra.d1.client import D1
from crane_infra.errors import MigrationError, SettingsError
from crane_infra.gate import Verdict
from crane_infra.migrations.files import MigrationFile, number_of
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.plan import make_plan
from crane_infra.preparation import Prepared, blocking
from crane_infra.proof import Proof, readable

Held = Mapping[str, tuple[MigrationFile, ...]]


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


def migrations_after(outputs: Mapping[str, Any], proof: Proof) -> dict[str, tuple[MigrationFile, ...]]:
    """The migrations by database that proofs newer than ``proof`` list; they have no statements here, since they are never applied."""
    found: dict[str, dict[str, MigrationFile]] = {}
    for entry in outputs.get("proofs") or []:
        newer = readable(entry)
        if newer is not None and newer.digest == proof.digest:
            break
        for name, database in (newer.manifest.get("databases") or {}).items() if newer else ():
            own = found.setdefault(name, {})
            for one in database["migrations"]:
                own.setdefault(one["name"], MigrationFile(number_of(one["name"]) or 0, one["name"], one["name"], one["sha256"], ()))
    return {name: tuple(files.values()) for name, files in found.items()}


def hold(files: Sequence[MigrationFile], later: Sequence[MigrationFile], ledger: Ledger, where: str) -> tuple[MigrationFile, ...]:
    """``files``, and those of ``later`` that the ledger has besides.

    Raises MigrationError where anything else is in the ledger, or where not all of these are.
    """
    own = {file.name for file in files}
    kept = (*files, *(file for file in later if file.name not in own and ledger.entry(file.name)))
    plan = make_plan(kept, ledger, where)
    for file in (*plan.apply, *plan.adopt):
        raise MigrationError(
            file.path, f"is not recorded as done in {where}, and a rollback applies nothing", "Remove rollback-to and promote"
        )
    return kept


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
