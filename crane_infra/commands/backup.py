"""Takes backups of a stack's databases, and restores them: into a new database, into staging, or, by a command of its own, into production."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from crane_infra.commands.databases import id_of, managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.counted import counted
from crane_infra.d1.client import D1
from crane_infra.d1.create import create_database
from crane_infra.data.backup.file import Note, check_file, make_backup, of_database, read_name, unpack
from crane_infra.data.backup.load import load
from crane_infra.data.backup.stores import Store
from crane_infra.data.copy import Copied, Limits, Watch, copy_database
from crane_infra.data.differences import WAS, TableChange, differences
from crane_infra.data.disk import disk_faults
from crane_infra.data.trial_text import what_was_done
from crane_infra.errors import DataError, LiveError, SettingsError
from crane_infra.live.account import open_account
from crane_infra.release.outputs import StackOutputs

_SHOWN = 5
_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


@dataclass(frozen=True)
class BackupWish:
    """One database or all, how many rows may be read of each, and how many backups of each are kept (None: all)."""

    only: str | None
    rows: int
    keep: int | None = None


@dataclass(frozen=True)
class RestoreWish:
    """Which backup (its name, or the newest) of which database, by its name in the catalog; whether production's rows may be lost for it."""

    database: str
    backup: str | None = None
    lose_writes: bool = False


@dataclass(frozen=True)
class Talk:
    """Whom a restore tells what it does, and whom it asks before it replaces rows."""

    say: Callable[[str], None]
    agreed: Callable[[], bool] = lambda: True


def back_up(settings: Settings, catalog: Catalog, outputs: StackOutputs, wish: BackupWish, store: Store, watch: Watch) -> list[Copied]:
    """Copy each database of a stack into a file of the store, and remove the oldest ones beyond those that are kept.

    Raises as ``managed``, ``copy_database`` and the store do.
    """

    async def each() -> list[Copied]:
        store.prepare()
        ids = {name: _id_of(settings, outputs, name) for name in ([wish.only] if wish.only else catalog.databases)}
        async with open_account(settings) as account:
            return [
                await _back_up(name, account.database(database_id, settings.databases[name].name), wish, store, watch)
                for name, database_id in ids.items()
            ]

    return asyncio.run(each())


def _id_of(settings: Settings, outputs: StackOutputs, name: str) -> str:
    """The id of a database; its migration files are not needed. Raises SettingsError where there is none."""
    if name not in settings.databases:
        raise SettingsError(f"database {name}", "is not in the catalog", "Use one of " + ", ".join(settings.databases))
    if (database_id := id_of(settings, outputs, name, {})) is None:
        raise SettingsError(f"database {name}", f"stack {settings.environment} has not created it yet", "There is nothing to back up")
    return database_id


async def _back_up(name: str, db: D1, wish: BackupWish, store: Store, watch: Watch) -> Copied:
    with tempfile.TemporaryDirectory(prefix="crane-") as temporary:
        folder = Path(temporary)
        copied = await copy_database(db, folder / "copy.sqlite", limits=Limits(rows=wish.rows), watch=watch)
        backup = await asyncio.to_thread(make_backup, copied, name, datetime.now(UTC), folder)
        await asyncio.to_thread(store.put, backup)
        size = backup.stat().st_size / 1e6
    changing = f"; {', '.join(copied.unsettled)} kept changing" if copied.unsettled else ""
    watch.say(
        f"{db.name}: {counted(copied.rows, 'row')} of {counted(len(copied.tables), 'table')} in {backup.name} ({size:.1f} MB){changing}"
    )
    for old in of_database(store.names(), name)[wish.keep :] if wish.keep else ():
        store.remove(old.name)
        watch.say(f"{db.name}: removed {old.name}")
    return copied


def restore_into_new(settings: Settings, store: Store, wish: RestoreWish, name: str, talk: Talk) -> None:
    """Restore a backup into a new database, which is created, and compare it row by row.

    Raises DataError (no such backup, a damaged one, a database of that name), ApiError.
    """

    async def run() -> None:
        async with _unpacked(store, wish, talk) as (db, _), open_account(settings) as account:
            if await account.database_named(name):
                raise DataError(f"database {name}", "it exists already", "Name one that does not, or restore into a stack with -s")
            made = await create_database(account.api, account.id, name)
            talk.say(f"{name}: created, its id is {made}")
            await load(account.database(made, name), db, talk.say)

    asyncio.run(run())


def restore_into_stack(settings: Settings, catalog: Catalog, outputs: StackOutputs, store: Store, wish: RestoreWish, talk: Talk) -> bool:
    """Replace all that a database of a stack holds with a backup; False where ``talk`` did not agree, and then nothing was changed.

    For production it says first, row by row, what is lost, and needs the wish's ``lose_writes``. Raises as ``restore_into_new`` does, and LiveError.
    """

    async def run() -> bool:
        async with _unpacked(store, wish, talk) as (db, note), managed(settings, catalog, outputs, wish.database) as (database,):
            bookmark = await database.db.bookmark()
            if settings.environment == "production" and await _say_losses(database.db, db, talk) and not wish.lose_writes:
                what = "the rows above are lost"
                raise LiveError(f"database {database.db.name}", what, "Stop the writers, read the lines above, then add --lose-writes")
            talk.say(f"{database.db.name}: all tables are replaced with those of {note.taken_at}, the ledger too")
            if not talk.agreed():
                return False
            stack = settings.environment
            talk.say(f"To return: crane restore -s {stack} -d {database.name} --bookmark {bookmark} --lose-writes")
            await load(database.db, db, talk.say)
            talk.say(f"Compare it with its migrations now: crane migrations status -s {stack}")
            return True

    return asyncio.run(run())


async def _say_losses(source: D1, backup: apsw.Connection, talk: Talk) -> bool:
    """Copy the database as it is, and say what becomes of its rows; whether anything does."""
    with tempfile.TemporaryDirectory(prefix="crane-") as temporary:
        now = await copy_database(source, Path(temporary) / "now.sqlite", watch=Watch(talk.say))
        changes = losses(backup, now.path)
    talk.say(f"{source.name}: {'these rows change' if changes else 'no row changes'}")
    for change in changes:
        talk.say(f"  {change.table}: {what_was_done(change)}")
    return bool(changes)


def losses(backup: apsw.Connection, now: Path) -> list[TableChange]:
    """What becomes of the rows of a database, copied to ``now``, when a backup takes their place."""
    backup.execute(f"ATTACH ? AS {WAS}", (f"file:{now}?mode=ro&immutable=1",))
    try:
        return differences(backup, {}, keys=False)
    finally:
        backup.execute(f"DETACH {WAS}")


@asynccontextmanager
async def _unpacked(store: Store, wish: RestoreWish, talk: Talk) -> AsyncIterator[tuple[apsw.Connection, Note]]:
    """The backup as a database, once every row of it was checked. A disk that is full by then is one line."""
    with _fetched(store, wish) as backup, disk_faults(backup.parent):
        note = unpack(backup, backup.with_suffix(".plain"))
        with closing(apsw.Connection(str(backup.with_suffix(".plain")), flags=_FLAGS)) as db:
            await check_file(db, note, backup.name)
            rows = sum(count for count, _ in note.tables.values())
            talk.say(f"{backup.name}: {counted(rows, 'row')} of {counted(len(note.tables), 'table')}, and every checksum is right")
            yield db, note


@contextmanager
def _fetched(store: Store, wish: RestoreWish) -> Iterator[Path]:
    stored = store.names()
    names = [backup.name for backup in of_database(stored, wish.database)]
    name = wish.backup or next(iter(names), None)
    if name not in names:
        todo = f"It has of this database: {', '.join(names[:_SHOWN])}" if names else _others(stored)
        raise DataError(store.place, f"it has no backup {wish.backup or ''} of database {wish.database}", todo)
    with tempfile.TemporaryDirectory(prefix="crane-") as temporary:
        yield store.get(str(name), Path(temporary))


def _others(stored: Sequence[str]) -> str:
    """What to do where there is no backup of a database: which others there are."""
    databases = sorted({backup.database for name in stored if (backup := read_name(name))})
    return f"It has backups of {', '.join(databases[:_SHOWN])}" if databases else "It has no backups at all: name another place"
