"""What a run of staging says and does about its rows: seeds that will run, those that are missing, and a refresh that is not complete.

Pulumi compares files with its record, and rows may be gone although no file changed: after a refresh that was broken off, or ``crane restore``.
So what is due is asked of the databases, and a mark in the schema step's input makes the step run.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pulumi

from crane_infra.at_once import all_at_once
from crane_infra.data.seeds.run import DueSeed, due_seeds, read_ran
from crane_infra.errors import ApiError
from crane_infra.live.account import Account, open_account
from crane_infra.migrations.files.names import listed
from crane_infra.migrations.unfinished_refresh import UnfinishedRefresh
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.announce.migrations import Judgements
from crane_infra.program.preparation import Prepared

Due = Mapping[str, tuple[DueSeed, ...]]


@dataclass(frozen=True)
class SeedsPlan:
    """What a run does about the rows of staging, by the databases' names in the catalog.

    ``marks`` say when seeds were due last, and stand in the outputs. ``completes`` are those with a refresh that lacks only its seeds.
    """

    marks: Mapping[str, str] = field(default_factory=dict)
    completes: Collection[str] = ()


async def look_at_seeds(prepared: Prepared) -> Due:
    """The seeds of each database that an update will run. Raises ApiError."""
    if not prepared.seeds or prepared.settings.rollback_to:
        return {}
    async with open_account(prepared.settings) as account:
        due = await all_at_once(_look_at(account, prepared, name) for name in prepared.seeds)
    return dict(zip(prepared.seeds, due, strict=True))


def announce_seeds(prepared: Prepared, due: Future[Due], statuses: Judgements | None) -> SeedsPlan:
    """Log which refresh is not complete and, in a preview, which seeds will run and which folder of them does not exist.

    A mark stays for good: if it went away, the step would run once more. A database with pending migrations gets none: new files make the step run
    by themselves, and one that was restored is to be refused before anything is applied to it again. In a preview, others say which database does not answer. Raises
    ApiError in an update.
    """
    marks = dict(prepared.last.seeds_due)
    if prepared.settings.environment != "staging":
        return SeedsPlan()
    refreshes = {name: status.ledger.refresh for name, status in (statuses or {}).items() if status.ledger.refresh}
    log(Line(_refresh_text(prepared.settings.databases[name].name, refresh), is_warning=True) for name, refresh in refreshes.items())
    try:
        seeds = {name: those for name, those in due.result().items() if those}
    except ApiError:
        if not pulumi.runtime.is_dry_run():
            raise
        return SeedsPlan(marks)
    if pulumi.runtime.is_dry_run():
        log(_lines(prepared, seeds))
    completes = {name for name, refresh in refreshes.items() if refresh.is_loaded}
    pending = {name for name, status in (statuses or {}).items() if status.plan.pending}
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return SeedsPlan(marks | dict.fromkeys(sorted((completes | seeds.keys()) - pending), now), completes)


def _lines(prepared: Prepared, due: Due) -> list[Line]:
    named = {name: prepared.settings.databases[name].name for name in prepared.catalog.databases}
    missing = [
        Line(f"{database.seeds}: the folder does not exist, so {named[name]} gets no seeds")
        for name, database in prepared.catalog.databases.items()
        if database.seeds and name not in prepared.seeds
    ]
    return [*missing, *(Line(f"{named[name]}: seeds that will run: {listed([one.text for one in those])}") for name, those in due.items())]


def _refresh_text(database: str, refresh: UnfinishedRefresh) -> str:
    if not refresh.is_loaded:
        return f"{database}: {refresh.summary}. {refresh.todo}."
    return f"{database}: {refresh.summary}. This update runs the missing seeds and completes it, unless it is still under way."


async def _look_at(account: Account, prepared: Prepared, name: str) -> tuple[DueSeed, ...]:
    database_id = prepared.database_id(name)
    ran = await read_ran(account.database(database_id, prepared.settings.databases[name].name)) if database_id else {}
    return due_seeds(prepared.seeds[name], ran)
