"""Reads the ledger: which migrations were applied to a database, by wrangler's table and ours.

``d1_migrations`` stays wrangler's, so that ``wrangler d1 migrations list`` agrees; ``crane_migrations`` adds digest, start and end, so that a
half-applied file is visible. Only ``requests`` writes to them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from crane_infra.d1.database import DatabaseClient
from crane_infra.d1.database import Row as DatabaseRow
from crane_infra.d1.errors import RateLimitedError, RefusedError
from crane_infra.errors import MigrationError
from crane_infra.migrations.files.names import order_of
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger_rows import (
    LEDGER_ROWS,
    OBJECTS,
    AcceptedRow,
    EditRow,
    ListedRow,
    ObjectRow,
    RecordedRow,
    RefreshRow,
    Row,
    read_rows,
    rows_as,
)
from crane_infra.migrations.own_tables import ACCEPTED, EDITS, OURS, REFRESHES, TABLES, WRANGLER, is_users
from crane_infra.migrations.unfinished_refresh import UnfinishedRefresh, unfinished_refresh

Origin = Literal["applied", "adopted", "base", "baseline"]
COLUMNS = 'sha256, origin, token, "release", bookmark, started_at, done_at'
# One SELECT over both tables: a file that commits between two reads would look half recorded. Only names of ours are formatted into SQL here
# and below; values are bound.
_READ = {
    OBJECTS: f"""SELECT '{OBJECTS}' AS source, NULL AS id, name, type, sql, NULL AS sha256, NULL AS origin, NULL AS token, NULL AS "release",
    NULL AS bookmark, NULL AS started_at, NULL AS done_at FROM {OBJECTS}""",  # noqa: S608
    WRANGLER: f"""SELECT '{WRANGLER}' AS source, id, name, NULL AS type, NULL AS sql, NULL AS sha256, NULL AS origin, NULL AS token,
    NULL AS "release", NULL AS bookmark, NULL AS started_at, applied_at AS done_at FROM {WRANGLER}""",  # noqa: S608
    OURS: f"SELECT '{OURS}' AS source, NULL AS id, name, NULL AS type, NULL AS sql, {COLUMNS} FROM {OURS}",  # noqa: S608
    EDITS: f"""SELECT '{EDITS}' AS source, NULL AS id, migration AS name, NULL AS type, NULL AS sql, became AS sha256, NULL AS origin,
    was AS token, NULL AS "release", NULL AS bookmark, NULL AS started_at, accepted_at AS done_at FROM {EDITS}""",  # noqa: S608
    ACCEPTED: f"""SELECT '{ACCEPTED}' AS source, NULL AS id, object AS name, NULL AS type, sql, NULL AS sha256, NULL AS origin,
    "after" AS token, NULL AS "release", NULL AS bookmark, NULL AS started_at, NULL AS done_at FROM {ACCEPTED}""",  # noqa: S608
    REFRESHES: f"""SELECT '{REFRESHES}' AS source, NULL AS id, token AS name, NULL AS type, NULL AS sql, NULL AS sha256, NULL AS origin,
    NULL AS token, NULL AS "release", loaded_at AS bookmark, began_at AS started_at, done_at FROM {REFRESHES}""",  # noqa: S608
}


class AcceptedEdit(NamedTuple):
    """An edit of an applied file that changed no meaning, and that somebody accepted: the digest before it, and when."""

    was: str
    at: str


@dataclass(frozen=True)
class LedgerEntry:
    """One migration in the ledger. ``listed``: it is in wrangler's table; ``sha256`` None: it is not in ours."""

    name: str
    listed: bool
    sha256: str | None = None
    origin: Origin | None = None
    token: str | None = None
    release: str | None = None
    bookmark: str | None = None
    started_at: str | None = None
    done_at: str | None = None
    edits: tuple[AcceptedEdit, ...] = ()

    def has(self, sha256: str) -> bool:
        """Whether a file with this digest is the one that was applied, or means the same."""
        return sha256 == self.sha256 or any(edit.was == sha256 for edit in self.edits)

    def digest_at(self, time: str) -> str:
        """The digest that was recorded before the edits that were accepted at ``time`` or later; empty for an unsettled entry."""
        if not self.settled:
            return ""
        return next((edit.was for edit in self.edits if edit.at >= time), self.sha256 or "")

    @property
    def started_only(self) -> bool:
        """Whether a run started this file and never marked it as done."""
        return self.sha256 is not None and self.done_at is None

    @property
    def settled(self) -> bool:
        """Whether both tables record it as done."""
        return self.listed and self.sha256 is not None and self.done_at is not None


@dataclass(frozen=True)
class LedgerHead:
    """The state of a ledger as one value: two heads are equal if the same files with the same bytes were applied."""

    name: str | None
    count: int
    digest: str


@dataclass(frozen=True)
class Ledger:
    """What was read. ``ready``: all tables of the ledger exist; ``populated``: the database has tables of the user.

    ``base`` is the record of a base schema, which is not a migration and is in our table only. ``objects`` are the kind, name and SQL of
    everything in the database, and ``accepted`` the accepted differences (None: they were not read), read at the same time; neither counts
    when ledgers are compared. Nor does ``refresh``, that of a staging database which is not complete.
    """

    entries: tuple[LedgerEntry, ...] = ()
    populated: bool = False
    ready: bool = False
    base: LedgerEntry | None = None
    objects: tuple[tuple[str, str, str], ...] = field(default=(), compare=False, repr=False)
    accepted: tuple[AcceptedRow, ...] | None = field(default=None, compare=False, repr=False)
    refresh: UnfinishedRefresh | None = field(default=None, compare=False)

    @property
    def listed(self) -> int:
        """How many rows wrangler's table has."""
        return sum(entry.listed for entry in self.entries)

    @property
    def is_ours(self) -> bool:
        """Whether runs of this project applied all that it lists: nothing was there before, from wrangler or by a baseline."""
        contained = self.base.token if self.base else None  # what a base schema contains is recorded with it, as a baseline
        is_ours = (entry.origin == "applied" or (entry.origin == "baseline" and entry.token == contained) for entry in self.entries)
        return all(is_ours) and bool(self.entries or self.base or not self.populated)

    @property
    def is_of_an_empty_database(self) -> bool:
        """Whether the database has neither tables of the user nor any record of a migration."""
        return not self.entries and not self.base and not self.populated

    @property
    def head(self) -> LedgerHead:
        """The head. An unsettled entry counts without a digest, so that the head differs from that of any files."""
        return _head((entry.name, (entry.sha256 or "") if entry.settled else "") for entry in self.entries)

    def stands_at(self, head: LedgerHead) -> bool:
        """Whether the ledger has this head, or had it before edits without a change of meaning were accepted."""
        times = sorted({edit.at for entry in self.entries for edit in entry.edits}, reverse=True)
        earlier = (_head((entry.name, entry.digest_at(time)) for entry in self.entries) for time in times)
        return head == self.head or head in earlier

    def entry(self, name: str) -> LedgerEntry | None:
        """Return the entry with this name, which may be the base schema's."""
        entries = (*self.entries, self.base) if self.base else self.entries
        return next((entry for entry in entries if entry.name == name), None)


def head_of(files: Iterable[MigrationFile]) -> LedgerHead:
    """Return the head of a database to which exactly these files were applied."""
    return _head((file.name, file.sha256) for file in files)


async def read_ledger(db: DatabaseClient, *, ready: bool = False) -> Ledger:
    """Read the ledger with SELECTs only; a new database has an empty one.

    ``ready``: its tables existed before, so one SELECT is enough, and reads the accepted differences too.

    Raises ApiError, and MigrationError for a row without a name.
    """
    rows, accepted = await (_read_all(db) if ready else _read_existing(db))
    return _ledger_of(rows, accepted, db.name)


def last_look(ledger: Ledger) -> str:
    """The SELECT that reads a ledger whose tables exist at the end of a request that writes to it; ``ledger`` is the one before.

    It names no table that the request does not write to anyway, but for that of the edits: one that is gone would fail the request.
    """
    has_edits = any(name == EDITS for _, name, _ in ledger.objects)
    return _select(OBJECTS, WRANGLER, OURS, *([EDITS] if has_edits else []))


def ledger_seen(rows: Sequence[DatabaseRow], where: str) -> Ledger:
    """The ledger in the rows of a last look. Raises ApiError for a row that is something else, MigrationError for one without a name."""
    return _ledger_of(rows_as(rows, LEDGER_ROWS, where), None, where)


async def read_accepted_rows(db: DatabaseClient) -> tuple[AcceptedRow, ...]:
    """Read which differences were accepted, of a database that has the ledger's tables. Raises ApiError."""
    return _accepted_in(await _read(db, ACCEPTED))


def _ledger_of(rows: Sequence[Row], accepted: tuple[AcceptedRow, ...] | None, where: str) -> Ledger:
    schema = [row for row in rows if isinstance(row, ObjectRow)]
    tables = _tables(schema)
    populated = any(map(is_users, tables))
    entries = _entries(rows, where)
    base = next((entry for entry in entries if entry.origin == "base"), None)
    objects = tuple((row.type, row.name, row.sql) for row in schema if row.sql is not None)
    refresh = unfinished_refresh(row for row in rows if isinstance(row, RefreshRow))
    own = tuple(entry for entry in entries if entry is not base)
    return Ledger(own, populated, tables >= TABLES, base, objects, accepted, refresh)


async def _read_all(db: DatabaseClient) -> tuple[list[Row], tuple[AcceptedRow, ...] | None]:
    try:
        rows = await _read(db, OBJECTS, WRANGLER, OURS, ACCEPTED)
    except RateLimitedError:
        raise
    except RefusedError:  # a table is gone: the database was restored to an earlier state in the meantime
        return await _read_existing(db)
    return await _with_others(db, rows), _accepted_in(rows)


async def _read_existing(db: DatabaseClient) -> tuple[list[Row], None]:
    """Read the ledger's tables that exist, but for the accepted differences, which few ask for."""
    schema = await _read(db, OBJECTS)
    existing = [table for table in (WRANGLER, OURS) if table in _tables(schema)]
    return await _with_others(db, [*schema, *(await _read(db, *existing) if existing else [])]), None


def _accepted_in(rows: Iterable[Row]) -> tuple[AcceptedRow, ...]:
    return tuple(row for row in rows if isinstance(row, AcceptedRow))


async def _with_others(db: DatabaseClient, rows: list[Row]) -> list[Row]:
    """With what the tables say that few databases have: one more SELECT over those that exist, and none where there is none."""
    existing = [table for table in (EDITS, REFRESHES) if table in _tables(rows)]
    return [*rows, *(await _read(db, *existing))] if existing else rows


async def _read(db: DatabaseClient, *sources: str) -> list[Row]:
    return await read_rows(db, _select(*sources), LEDGER_ROWS)


def _select(*sources: str) -> str:
    return f"{' UNION ALL '.join(_READ[source] for source in sources)} ORDER BY source, id, started_at, name"


def _tables(rows: Iterable[Row]) -> set[str]:
    return {row.name for row in rows if isinstance(row, ObjectRow) and row.type == "table"}


def _entries(rows: Sequence[Row], where: str) -> tuple[LedgerEntry, ...]:
    listed = [row for row in rows if isinstance(row, ListedRow)]
    recorded = {row.name: row for row in rows if isinstance(row, RecordedRow)}
    if any(row.name is None for row in listed):
        raise MigrationError(where, f"{WRANGLER} has a row without a name", "Remove that row")
    names = {row.name for row in listed if row.name is not None}
    ordered = dict.fromkeys([row.name for row in listed if row.name is not None] + list(recorded))
    edits = sorted((row for row in rows if isinstance(row, EditRow)), key=lambda row: row.done_at)
    accepted = {
        name: tuple(AcceptedEdit(row.token, row.done_at) for row in edits if row.name == name) for name in {row.name for row in edits}
    }
    return tuple(replace(_entry(name, name in names, recorded.get(name)), edits=accepted.get(name, ())) for name in ordered)


def _entry(name: str, listed: bool, row: RecordedRow | None) -> LedgerEntry:  # noqa: FBT001
    if row is None:
        return LedgerEntry(name, listed)
    known: dict[str, Origin] = {"adopted": "adopted", "base": "base", "baseline": "baseline"}
    return LedgerEntry(
        name,
        listed,
        sha256=row.sha256,
        origin=known.get(row.origin, "applied"),
        token=row.token,
        release=row.release,
        bookmark=row.bookmark,
        started_at=row.started_at,
        done_at=row.done_at,
    )


def _head(pairs: Iterable[tuple[str, str]]) -> LedgerHead:
    # By name, not by row: files may have been applied out of order, by wrangler or with out-of-order.
    ordered = sorted(pairs, key=lambda pair: order_of(pair[0]))
    digest = hashlib.sha256("".join(f"{name}\0{sha256}\n" for name, sha256 in ordered).encode()).hexdigest()
    return LedgerHead(ordered[-1][0] if ordered else None, len(ordered), digest)
