"""Runs the seeds that a staging database does not have yet in their present form, each in one request with its record.

A seed can run twice, so one whose reply is lost is sent again. At the end the ledger of seeds is read: a reply alone proves nothing. A refresh
that had replaced the rows before is complete then: seeds are all that it lacked.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from crane_infra.d1.database import BoundStatement, DatabaseClient
from crane_infra.d1.errors import NoAnswerError
from crane_infra.data.seeds.files import Seed
from crane_infra.data.staging import StagingDatabase
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.files.split import without_semicolons_in_comments
from crane_infra.migrations.own_tables import CREATE_SEEDS, REFRESHES, SEEDS
from crane_infra.migrations.requests import as_file

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_AGAIN = "Run the same command again: it continues with this seed"


class DueSeed(NamedTuple):
    """A seed that will run; ``is_changed``: an earlier form of it ran before."""

    seed: Seed
    is_changed: bool

    @property
    def text(self) -> str:
        """Its name, and whether it runs again."""
        return f"{self.seed.name}{' (changed)' if self.is_changed else ''}"


def due_seeds(seeds: Sequence[Seed], ran: Mapping[str, str]) -> tuple[DueSeed, ...]:
    """The seeds that are not among those that ``ran``, by name and digest."""
    return tuple(DueSeed(seed, seed.name in ran) for seed in seeds if ran.get(seed.name) != seed.sha256)


async def read_ran(db: DatabaseClient) -> dict[str, str]:
    """The seeds that ran in a database, by name, each with its digest. Raises ApiError."""
    if not await db.read(f"SELECT name FROM sqlite_master WHERE name = '{SEEDS}'"):  # noqa: S608
        return {}
    return {str(row["name"]): str(row["sha256"]) for row in await db.read(f"SELECT name, sha256 FROM {SEEDS}")}  # noqa: S608


async def run_seeds(database: StagingDatabase, seeds: Sequence[Seed], log: Callable[[str], None]) -> tuple[str, ...]:
    """Run the seeds that are due, in order; returns their names.

    Raises MigrationError that names the seed which failed, ApiError where the ledger of seeds cannot be read.
    """
    loaded = await _loaded_refreshes(database.db)
    due = due_seeds(seeds, await read_ran(database.db))
    for each in due:
        await _run(database.db, each.seed)
        log(f"{database.db.name}: seeded {each.text}")
    if due:
        ran = await read_ran(database.db)
        for each in due_seeds([one.seed for one in due], ran):
            what = f"not run in {database.db.name}: D1 reported success, but the ledger of seeds has no record of it"
            raise MigrationError(each.seed.path, what, _AGAIN)
    for token, began_at in loaded.items():
        complete = BoundStatement(f"UPDATE {REFRESHES} SET done_at = {_NOW} WHERE token = ?", (token,))  # noqa: S608
        await _sent(partial(database.db.write, [complete]))
        log(f"{database.db.name}: the refresh that began at {began_at} is complete")
    return tuple(each.seed.name for each in due)


async def _loaded_refreshes(db: DatabaseClient) -> dict[str, str]:
    """The refreshes that have replaced all rows and are not complete: when each began, by its token."""
    if not await db.read(f"SELECT name FROM sqlite_master WHERE name = '{REFRESHES}'"):  # noqa: S608
        return {}
    query = f"SELECT token, began_at FROM {REFRESHES} WHERE loaded_at IS NOT NULL AND done_at IS NULL"  # noqa: S608
    return {str(row["token"]): str(row["began_at"]) for row in await db.read(query)}


async def _run(db: DatabaseClient, seed: Seed) -> None:
    record = f"INSERT OR REPLACE INTO {SEEDS} (name, sha256, applied_at) VALUES (?, ?, {_NOW})"  # noqa: S608
    statements = [BoundStatement(without_semicolons_in_comments(statement)) for statement in seed.statements]
    request = [BoundStatement(CREATE_SEEDS), *statements, BoundStatement(record, (seed.name, seed.sha256))]

    async def send() -> None:
        # D1's query endpoint may cut a statement at a semicolon within a text; its import does not.
        if any(";" in statement.sql for statement in statements):
            await db.run_file(as_file(request))
        else:
            await db.write(request)

    try:
        await _sent(send)
    except ApiError as error:
        raise MigrationError(seed.path, f"not run in {db.name}: {error.what}", f"{error.todo}. {_AGAIN}") from None


async def _sent(send: Callable[[], Awaitable[object]]) -> None:
    """Send what may be sent twice, and once more where no answer came."""
    try:
        await send()
    except NoAnswerError:
        await send()
