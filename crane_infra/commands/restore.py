"""Restores a database to an earlier state through Time Travel, and says what that took back and how everything agrees again.

D1 cannot be asked what was written since a bookmark. So the tables are counted before and after, and the command that returns is said: the
state before a restore can be restored in turn.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crane_infra.commands.databases import ManagedDatabase, managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.d1.client import D1
from crane_infra.d1.errors import RefusedError
from crane_infra.errors import LiveError
from crane_infra.migrations.ledger import Ledger, read_ledger
from crane_infra.migrations.own_tables import is_users
from crane_infra.release.outputs import StackOutputs, migrations_in
from crane_infra.release.proof import Proof
from crane_infra.release.restored import Restored
from crane_infra.status.inert import inert

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Wish:
    """Which state of which database, by its name in the catalog; who wants it, and whether they know that it loses rows."""

    database: str
    bookmark: str
    by: str = ""
    lose_writes: bool = False


@dataclass(frozen=True)
class Talk:
    """Whom the command tells what it does, whom it asks, and where it leaves its record: before the restore and after it.

    ``record`` of None takes the one of before back: nothing was restored.
    """

    say: Callable[[str], None]
    agreed: Callable[[], bool]
    record: Callable[[Restored | None], None]


def restore(settings: Settings, catalog: Catalog, outputs: StackOutputs, wish: Wish, talk: Talk) -> bool:
    """Restore one database; False where ``talk`` did not agree, and then nothing was changed.

    Raises LiveError without the word that writes may be lost, SettingsError for a database that is none, ApiError where the API fails.
    """
    return asyncio.run(_restore(settings, catalog, outputs, wish, talk))


async def _restore(settings: Settings, catalog: Catalog, outputs: StackOutputs, wish: Wish, talk: Talk) -> bool:
    async with managed(settings, catalog, outputs, wish.database) as databases:
        (database,) = databases
        ledger, counts, now = await read_ledger(database.db), await counted(database.db), await database.db.bookmark()
        for line in _before(database, ledger, counts, wish):
            talk.say(line)
        if not wish.lose_writes:
            what = "a restore loses every row that was written since, and D1 cannot say which these are"
            todo = "Stop the writers, read the lines above, then add --lose-writes"
            raise LiveError(f"database {database.db.name}", what, todo)
        if not talk.agreed():
            return False
        back = f"crane restore -s {settings.environment} -d {wish.database} --bookmark {now} --lose-writes"
        talk.say(f"  To return to the state that it has now: {back}")
        await _recorded(database, wish, now, talk)
        talk.say("Restored.")
        after, counts_after = await read_ledger(database.db), await counted(database.db)
        for line in _after(counts, counts_after) + _agreement(settings, outputs, database, ledger, after):
            talk.say(line)
    return True


async def _recorded(database: ManagedDatabase, wish: Wish, now: str, talk: Talk) -> None:
    """Restore, with a record that begins before and is ended after it: nobody can ask D1 later whether it was done."""
    record = Restored(database.db.name, wish.bookmark, now, wish.by, _moment(), ended=False)
    talk.record(record)
    try:
        await database.db.restore(wish.bookmark)
    except RefusedError:
        talk.record(None)
        raise
    talk.record(replace(record, on=_moment(), ended=True))


def _moment() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


async def counted(db: D1) -> dict[str, int]:
    """How many rows each table of the user has. Raises ApiError."""
    objects = (await read_ledger(db)).objects
    tables = [name for kind, name, sql in objects if kind == "table" and is_users(name) and not sql.upper().startswith("CREATE VIRTUAL")]
    counts = {}
    for table in tables:
        quoted = table.replace('"', '""')
        (row,) = await db.read(f'SELECT COUNT(*) AS counted FROM "{quoted}"')  # noqa: S608 - a quoted name
        counts[table] = int(str(row["counted"]))
    return counts


def _before(database: ManagedDatabase, ledger: Ledger, counts: Counts, wish: Wish) -> list[str]:
    tables = ", ".join(f"{table} {count}" for table, count in counts.items()) or "no tables"
    later = [entry.name for entry in ledger.entries if entry.bookmark and entry.bookmark >= wish.bookmark]
    takes_back = f"  It takes back the migrations {', '.join(later)}." if later else "  By the ledger it takes back no migration."
    return [
        f"database {database.db.name} goes back to {inert(wish.bookmark)}. Everything written since is lost.",
        f"  Rows now: {tables}.",
        takes_back,
    ]


def _after(before: Counts, after: Counts) -> list[str]:
    names = [*before, *(table for table in after if table not in before)]
    changed = [
        f"{table} {before.get(table, 'none')} to {after.get(table, 'none')}" for table in names if before.get(table) != after.get(table)
    ]
    return [
        f"  Rows: {', '.join(changed)}." if changed else "  No table has another number of rows than before; rows may differ all the same."
    ]


def _agreement(settings: Settings, outputs: StackOutputs, database: ManagedDatabase, before: Ledger, after: Ledger) -> list[str]:
    """What the restore took back of the ledger, and how ledger, state and gate agree again."""
    present, stack = {entry.name for entry in after.entries}, settings.environment
    gone = [entry.name for entry in before.entries if entry.name not in present]
    if not gone:
        return ["  The ledger lists the same migrations, so state and gate agree with it."]
    lines = [
        f"  The restore took back {', '.join(gone)}. Until the ledger has them again, runs of {stack} are refused, and the gate is closed.",
        f"  If the release that serves is to stay: crane migrations apply -s {stack} -d {database.name} applies them again.",
    ]
    fitting = next((proof for proof in outputs.proofs if _fits(proof, database.name, present)), None)
    if fitting and fitting != outputs.newest and stack == "production":
        lines.append(f"  If not: release {fitting.digest[:12]} is the one that fits: crane rollback -s production {fitting.digest[:12]}")
    return lines


def _fits(proof: Proof, database: str, present: set[str]) -> bool:
    """Whether the ledger has every migration of a release."""
    listed = migrations_in(proof.manifest.get("databases", {}).get(database, {}).get("migrations"))
    return database in proof.databases and listed.keys() <= present
