"""The ledger: which migrations a database has seen, in wrangler's table and in ours.

``d1_migrations`` stays wrangler's, so that ``wrangler d1 migrations list`` agrees; ``crane_migrations`` adds digest, start and end.
Reading never writes. The requests that write are built here and sent by ``apply``. Prevents a ledger that calls a half-done file
done, and two runners that both think it is their turn.
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from crane_infra.d1.database import Database, Row, Statement
from crane_infra.errors import MigrationError
from crane_infra.migrations import sql
from crane_infra.migrations.files import MigrationFile, number_of

Origin = Literal["applied", "adopted", "base", "baseline"]
WRANGLER, OURS = "d1_migrations", "crane_migrations"
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_CREATE = (
    f"""CREATE TABLE IF NOT EXISTS {WRANGLER} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)""",
    f"""CREATE TABLE IF NOT EXISTS {OURS} (
    name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, origin TEXT NOT NULL, token TEXT NOT NULL, "release" TEXT NOT NULL,
    bookmark TEXT, started_at TEXT NOT NULL, done_at TEXT)""",
)
_COLUMNS = 'sha256, origin, token, "release", bookmark, started_at, done_at'
# One SELECT over both tables: a file that commits between two reads would look half recorded. Only names of ours are put into the
# texts of SQL here and below; values are bound.
_READ = {
    WRANGLER: f"""SELECT '{WRANGLER}' AS source, id, name, NULL AS sha256, NULL AS origin, NULL AS token, NULL AS "release",
    NULL AS bookmark, NULL AS started_at, applied_at AS done_at FROM {WRANGLER}""",  # noqa: S608
    OURS: f"SELECT '{OURS}' AS source, NULL AS id, name, {_COLUMNS} FROM {OURS}",  # noqa: S608
}


@dataclass(frozen=True)
class LedgerEntry:
    """One migration as the ledger tells it. ``listed``: in wrangler's table; ``sha256`` None: no record of ours."""

    name: str
    listed: bool
    sha256: str | None = None
    origin: Origin | None = None
    token: str | None = None
    release: str | None = None
    bookmark: str | None = None
    started_at: str | None = None
    done_at: str | None = None

    @property
    def started_only(self) -> bool:
        """Whether a run began this file and never marked it done."""
        return self.sha256 is not None and self.done_at is None

    @property
    def settled(self) -> bool:
        """Whether both tables say done."""
        return self.listed and self.sha256 is not None and self.done_at is not None


@dataclass(frozen=True)
class LedgerHead:
    """What a database has seen, as one value: two heads are equal when the same files with the same bytes were applied."""

    name: str | None
    count: int
    digest: str


@dataclass(frozen=True)
class Ledger:
    """What was read. ``ready``: both tables exist; ``populated``: the database has tables that are not bookkeeping.

    ``base`` is the record of a base schema, which is no migration and is in our table only.
    """

    entries: tuple[LedgerEntry, ...] = ()
    populated: bool = False
    ready: bool = False
    base: LedgerEntry | None = None

    @property
    def listed(self) -> int:
        """How many rows wrangler's table has."""
        return sum(entry.listed for entry in self.entries)

    @property
    def head(self) -> LedgerHead:
        """The head; an entry that is not settled counts without a digest, so such a head equals no files."""
        return _head((entry.name, (entry.sha256 or "") if entry.settled else "") for entry in self.entries)

    def entry(self, name: str) -> LedgerEntry | None:
        """Return the entry of that name, the base schema's included."""
        every = (*self.entries, self.base) if self.base else self.entries
        return next((entry for entry in every if entry.name == name), None)


def head_of(files: Iterable[MigrationFile]) -> LedgerHead:
    """Return the head of a database in which exactly these files are applied."""
    return _head((file.name, file.sha256) for file in files)


async def read_ledger(db: Database) -> Ledger:
    """Read the ledger with SELECTs alone; an untouched database has an empty one.

    Raises ApiError, and MigrationError for a row without a name.
    """
    tables = {_text(row, "name") for row in await db.read("SELECT name FROM sqlite_master WHERE type = 'table'")}
    present = [table for table in (WRANGLER, OURS) if table in tables]
    query = " UNION ALL ".join(_READ[table] for table in present)
    rows = await db.read(f"{query} ORDER BY source, id, started_at, name") if present else []
    populated = any(name != OURS and not name.startswith(("_cf_", "sqlite_", "d1_")) for name in tables)
    entries = _entries(rows, db.name)
    base = next((entry for entry in entries if entry.origin == "base"), None)
    return Ledger(tuple(entry for entry in entries if entry is not base), populated, len(present) == len(_READ), base)


def prepare_request(adopt: Sequence[MigrationFile], token: str, release: str) -> list[Statement]:
    """Build the request that makes the tables and takes over wrangler's rows; sent twice, it does nothing the second time."""
    take_over = (
        f"INSERT OR IGNORE INTO {OURS} (name, {_COLUMNS}) "  # noqa: S608 - names of ours, values are bound
        f"SELECT name, ?, 'adopted', ?, ?, NULL, applied_at, applied_at FROM {WRANGLER} WHERE name = ?"
    )
    return [*map(Statement, _CREATE), *(Statement(take_over, (file.sha256, token, release, file.name)) for file in adopt)]


def apply_request(file: MigrationFile, token: str, release: str, bookmark: str, listed: int) -> list[Statement]:
    """Build the one request that applies a file: our token first, then the file, wrangler's row, and the done mark last.

    The first statement fails, and with it the request, where another runner has taken the file (primary key) or where the ledger no
    longer has ``listed`` rows (a name of NULL is refused): what was planned no longer holds then.
    """
    return [
        _take(file, "applied", (token, release, bookmark), listed),
        *map(Statement, file.statements),
        Statement(f"INSERT INTO {WRANGLER} (name) VALUES (?)", (file.name,)),  # noqa: S608
        _done(file, token),
    ]


def base_request(base: MigrationFile, contains: Sequence[MigrationFile], token: str, release: str, bookmark: str) -> list[Statement]:
    """Build the one request that makes a base schema in an empty database and records the migrations that it contains."""
    return [
        _take(base, "base", (token, release, bookmark), 0),
        *map(Statement, base.statements),
        *baseline_request(contains, token, release),
        _done(base, token),
    ]


def baseline_request(files: Sequence[MigrationFile], token: str, release: str) -> list[Statement]:
    """Build what records migrations as done that did not run here, because the database holds their work already."""
    record = f"INSERT INTO {OURS} (name, {_COLUMNS}) VALUES (?, ?, 'baseline', ?, ?, NULL, {_NOW}, {_NOW})"  # noqa: S608
    listing = f"INSERT INTO {WRANGLER} (name) VALUES (?)"  # noqa: S608
    both = ((Statement(listing, (file.name,)), Statement(record, (file.name, file.sha256, token, release))) for file in files)
    return [statement for pair in both for statement in pair]


def as_file(request: Sequence[Statement]) -> str:
    """Build one SQL file of a request, for import, where nothing can be bound."""
    # A statement may end in a comment, so its semicolon stands on a line of its own.
    return "".join(f"{_inlined(statement)}\n;\n" for statement in request)


def _take(file: MigrationFile, origin: Origin, who: tuple[str, str, str], listed: int) -> Statement:
    take = f"""INSERT INTO {OURS} (name, sha256, origin, token, "release", bookmark, started_at)
    SELECT CASE WHEN (SELECT COUNT(*) FROM {WRANGLER}) = {int(listed)} THEN ? END, ?, '{origin}', ?, ?, ?, {_NOW}"""  # noqa: S608
    return Statement(take, (file.name, file.sha256, *who))


def _done(file: MigrationFile, token: str) -> Statement:
    return Statement(f"UPDATE {OURS} SET done_at = {_NOW} WHERE name = ? AND token = ?", (file.name, token))  # noqa: S608


def _inlined(statement: Statement) -> str:
    """A statement with its values in place; one of ours has no other question mark, one without values stays as it is."""
    if not statement.params:
        return statement.sql
    parts = statement.sql.split("?")
    values = [sql.literal(str(value)) for value in statement.params]
    return "".join(part for pair in itertools.zip_longest(parts, values, fillvalue="") for part in pair)


def reopen_request(name: str, token: str) -> list[Statement]:
    """Build the request that takes a done mark of this run back."""
    return [Statement(f"UPDATE {OURS} SET done_at = NULL WHERE name = ? AND token = ?", (name, token))]  # noqa: S608


def _entries(rows: Sequence[Row], where: str) -> tuple[LedgerEntry, ...]:
    listed: dict[str, Row] = {}
    recorded: dict[str, Row] = {}
    for row in rows:
        if not isinstance(row.get("name"), str):
            raise MigrationError(where, f"{row.get('source')} has a row without a name", "Remove that row")
        (listed if row.get("source") == WRANGLER else recorded)[_text(row, "name")] = row
    return tuple(_entry(name, name in listed, recorded.get(name)) for name in {**listed, **recorded})


def _entry(name: str, listed: bool, row: Row | None) -> LedgerEntry:  # noqa: FBT001
    if row is None:
        return LedgerEntry(name, listed)
    optional = {key: None if row.get(key) is None else _text(row, key) for key in ("token", "release", "bookmark", "started_at", "done_at")}
    known: dict[str, Origin] = {"adopted": "adopted", "base": "base", "baseline": "baseline"}
    origin = known.get(_text(row, "origin"), "applied")
    return LedgerEntry(name, listed, sha256=_text(row, "sha256"), origin=origin, **optional)


def _text(row: Row, key: str) -> str:
    return str(row.get(key))


def _head(pairs: Iterable[tuple[str, str]]) -> LedgerHead:
    # By number, not by row: wrangler, or a run that allows it, may have applied files out of order.
    ordered = sorted(pairs, key=lambda pair: (number_of(pair[0]) is None, number_of(pair[0]) or 0, pair[0]))
    digest = hashlib.sha256("".join(f"{name}\0{sha256}\n" for name, sha256 in ordered).encode()).hexdigest()
    return LedgerHead(ordered[-1][0] if ordered else None, len(ordered), digest)
