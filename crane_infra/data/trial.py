"""Applies the pending migrations to a copy of a database, as an update would apply them to the database itself, and says what they do."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from crane_infra.data.copy import Copied
from crane_infra.data.disk import disk_faults
from crane_infra.data.local_d1 import LocalD1
from crane_infra.data.violations import Violation, broken_references, references
from crane_infra.data.witness import FileReport, Witness
from crane_infra.errors import MigrationError
from crane_infra.migrations.apply import migrate
from crane_infra.migrations.files.read import SchemaFiles, from_empty
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.ledger import LedgerHead, read_ledger
from crane_infra.migrations.lint.finding import RULES
from crane_infra.migrations.sqlite.engine import FAILURES, rows

_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
_SHOWN = 5


@dataclass(frozen=True)
class Trial:
    """What the pending migrations of one database do to its rows.

    ``head`` is the state of the ledger that they were tried on; ``copied`` is None where there was nothing to try. ``refusal`` has the lines of an update that would be refused. ``references`` are
    broken at the end and were not before, ``damage`` is what SQLite's integrity check says at the end and did not say before.
    ``despite``: an update would refuse the files as they are, and they were tried all the same, as if what lint found were accepted.
    """

    database: str
    copied: Copied | None
    head: LedgerHead
    files: tuple[FileReport, ...] = ()
    pending: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    references: tuple[Violation, ...] = ()
    damage: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    despite: bool = False

    @property
    def passes(self) -> bool:
        """Whether an update would apply all that is pending, and leave the database sound."""
        return not (self.refusal or self.references or self.damage)


@dataclass(frozen=True)
class Attempt:
    """What is tried: the files of a database, for which release; ``keys``: keep the first keys of the rows that change.

    ``result`` is a path for the database as an update would leave it, where it would pass.
    """

    database: str
    schema: SchemaFiles
    release: str
    keys: bool = False
    result: Path | None = None


async def try_migrations(copied: Copied, attempt: Attempt) -> Trial:
    """Apply the pending files to a copy of the copy, which goes to the attempt's ``result`` where that is set and the trial passes.

    Raises ApiError where the copy cannot be read as a database with a ledger, DataError where the disk is full.
    """
    with disk_faults(copied.path.parent):
        return await _try_on_copy(copied, attempt)


async def _try_on_copy(copied: Copied, attempt: Attempt) -> Trial:
    work, was = (copied.path.with_name(f"{copied.path.name}.{suffix}") for suffix in ("trial", "was"))
    for path in (work, was):
        path.touch(mode=0o600)
    try:
        await asyncio.to_thread(shutil.copyfile, copied.path, work)
        with closing(apsw.Connection(str(work), flags=_FLAGS)) as db:
            trial = await _try(db, was, copied, attempt)
        if attempt.result and trial.passes:
            await asyncio.to_thread(shutil.move, work, attempt.result)
        return trial
    finally:
        was.unlink(missing_ok=True)
        work.unlink(missing_ok=True)


async def _try(db: apsw.Connection, was: Path, copied: Copied, attempt: Attempt) -> Trial:
    schema = attempt.schema
    files = from_empty(schema.files, schema.base)
    witness = Witness(db, files, was, keys=attempt.keys)
    local = LocalD1(db, attempt.database, witness)
    ledger = await read_ledger(local)
    pending = tuple(file.name for file in files if not ledger.entry(file.name))
    before, notes = references(db), list[str]()
    refusal = await _migrate(local, schema, attempt.release, notes.append)
    despite = bool(refusal) and not witness.reports
    if despite:
        everything = replace(schema, accepted={file.name: RULES for file in files})
        refusal += tuple(line for line in await _migrate(local, everything, attempt.release, lambda _: None) if line not in refusal)
    return Trial(
        attempt.database,
        copied,
        ledger.head,
        tuple(witness.reports),
        pending,
        refusal,
        tuple(broken_references(db, before, keys=attempt.keys)),
        tuple(_new_damage(db, copied.path)),
        tuple(note for note in notes if "time-travel" not in note),
        despite=despite and bool(witness.reports),
    )


async def _migrate(local: LocalD1, schema: SchemaFiles, release: str, log: Callable[[str], None]) -> tuple[str, ...]:
    """Apply the pending files; return the lines of the refusal, none where all were applied."""
    try:
        await migrate(local, schema, release=release, log=log, pause=_never)
    except MigrationError as error:
        return tuple(str(each) for each in error.errors)
    return ()


async def _never(_: float) -> None:
    """A copy has no rate limit to wait for."""


def _new_damage(db: apsw.Connection, pristine: Path) -> list[str]:
    """What the integrity checks say, and did not say of the copy before the migrations."""
    damage = damage_in(db)
    if not damage:
        return []
    with closing(apsw.Connection(str(pristine), flags=apsw.SQLITE_OPEN_READWRITE)) as before:
        known = set(damage_in(before))
    return [line for line in damage if line not in known][:_SHOWN]


def damage_in(db: apsw.Connection) -> list[str]:
    """What SQLite's integrity check and those of full-text tables say; nothing where all is well."""
    said = [str(line) for (line,) in rows(db, "PRAGMA integrity_check")]
    return [line for line in said if line != "ok"] + [f"full-text table {name} does not fit its texts" for name in _unfit(db)]


def _unfit(db: apsw.Connection) -> list[str]:
    tables = rows(
        db, "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%' AND lower(sql) LIKE '%fts5%'"
    )
    return [name for (name,) in tables if not _is_fit(db, name)]


def _is_fit(db: apsw.Connection, name: str) -> bool:
    if not rows(db, "SELECT 1 FROM sqlite_master WHERE name = ?", f"{name}_idx"):
        return True  # no index: fts5vocab
    try:
        db.execute(f"INSERT INTO {quoted(name)}({quoted(name)}, rank) VALUES ('integrity-check', 1)")  # noqa: S608 - a quoted name
    except FAILURES:
        return False
    return True
