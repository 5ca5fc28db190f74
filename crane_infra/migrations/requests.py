"""Builds the requests that write to the ledger: make its tables, take a file, apply it, mark it done. Pure; ``apply`` sends them.

Prevents a ledger that calls a half-done file done, two runners that both think it is their turn, and rows that go without a word.
"""

import itertools
import re
from collections.abc import Mapping, Sequence

from crane_infra.d1.database import Statement
from crane_infra.migrations.files import split
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import COLUMNS, Origin
from crane_infra.migrations.lint.row_counts import Counted
from crane_infra.migrations.own_tables import ACCEPTED, OURS, ROWS, WRANGLER

LOST = "crane: lost"
_LOSS = re.compile(re.escape(LOST) + r" (?P<lost>\d+ of \d+ rows of .+?)\|")
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
_CREATE = (
    f"""CREATE TABLE IF NOT EXISTS {WRANGLER} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)""",
    f"""CREATE TABLE IF NOT EXISTS {OURS} (
    name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, origin TEXT NOT NULL, token TEXT NOT NULL, "release" TEXT NOT NULL,
    bookmark TEXT, started_at TEXT NOT NULL, done_at TEXT)""",
    f"""CREATE TABLE IF NOT EXISTS {ROWS} (
    migration TEXT NOT NULL, counted TEXT NOT NULL, before INTEGER NOT NULL, after INTEGER, PRIMARY KEY (migration, counted))""",
    f"""CREATE TABLE IF NOT EXISTS {ACCEPTED} (
    object TEXT PRIMARY KEY NOT NULL, sql TEXT, after TEXT, accepted_at TEXT NOT NULL)""",
)


def prepare_request(adopt: Sequence[MigrationFile], token: str, release: str) -> list[Statement]:
    """Build the request that makes the tables and takes over wrangler's rows; sent twice, it does nothing the second time."""
    take_over = (
        f"INSERT OR IGNORE INTO {OURS} (name, {COLUMNS}) "  # noqa: S608 - names of ours, values are bound
        f"SELECT name, ?, 'adopted', ?, ?, NULL, applied_at, applied_at FROM {WRANGLER} WHERE name = ?"
    )
    return [*map(Statement, _CREATE), *(Statement(take_over, (file.sha256, token, release, file.name)) for file in adopt)]


def apply_request(
    file: MigrationFile, counts: Sequence[Counted], *, token: str, release: str, bookmark: str, listed: int
) -> list[Statement]:
    """Build the one request that applies a file: our token first, then the file between two counts, wrangler's row, the done mark last.

    The first statement fails, and with it the request, where another runner has taken the file (primary key) or where the ledger no
    longer has ``listed`` rows (a name of NULL is refused): what was planned no longer holds then. A count that fell without a word of
    the file fails the request too.
    """
    return [
        _take(file, "applied", (token, release, bookmark), listed),
        *(_count_before(file, one) for one in counts),
        *map(Statement, file.statements),
        *(_count_after(file, one) for one in counts),
        *_refuse_losses(file, counts),
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
    record = f"INSERT INTO {OURS} (name, {COLUMNS}) VALUES (?, ?, 'baseline', ?, ?, NULL, {_NOW}, {_NOW})"  # noqa: S608
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


def _count_before(file: MigrationFile, one: Counted) -> Statement:
    label = split.literal(one.label)
    return Statement(f"INSERT OR REPLACE INTO {ROWS} SELECT {split.literal(file.name)}, {label}, ({one.query}), NULL")


def _count_after(file: MigrationFile, one: Counted) -> Statement:
    where = f"migration = {split.literal(file.name)} AND counted = {split.literal(one.label)}"
    return Statement(f"UPDATE {ROWS} SET after = ({one.query}) WHERE {where}")  # noqa: S608


def _refuse_losses(file: MigrationFile, counts: Sequence[Counted]) -> list[Statement]:
    """An update that fails for the first count that fell; a path that is none is the only way to fail in SQL with words of one's own."""
    if not (kept := [split.literal(one.label) for one in counts if not one.may_fall]):
        return []
    words = f"'{LOST} ' || (before - after) || ' of ' || before || ' rows of ' || counted || '|'"
    where = f"migration = {split.literal(file.name)} AND after < before AND counted IN ({', '.join(kept)})"
    return [Statement(f"UPDATE {ROWS} SET after = json_extract('{{}}', {words}) WHERE {where}")]  # noqa: S608


def _done(file: MigrationFile, token: str) -> Statement:
    return Statement(f"UPDATE {OURS} SET done_at = {_NOW} WHERE name = ? AND token = ?", (file.name, token))  # noqa: S608


def _inlined(statement: Statement) -> str:
    """A statement with its values in place; one of ours has no other question mark, one without values stays as it is."""
    if not statement.params:
        return statement.sql
    parts = statement.sql.split("?")
    values = [split.literal(str(value)) for value in statement.params]
    return "".join(part for pair in itertools.zip_longest(parts, values, fillvalue="") for part in pair)


def reopen_request(name: str, token: str) -> list[Statement]:
    """Build the request that takes a done mark of this run back."""
    return [Statement(f"UPDATE {OURS} SET done_at = NULL WHERE name = ? AND token = ?", (name, token))]  # noqa: S608


def accept_request(objects: Mapping[str, str | None], after: str | None) -> list[Statement]:
    """Build what records objects as expected from now on, each with its SQL (None: it is not there); ``after`` is the last migration."""
    record = f"INSERT OR REPLACE INTO {ACCEPTED} (object, sql, after, accepted_at) VALUES (?, ?, ?, {_NOW})"  # noqa: S608
    return [Statement(record, (name, text, after)) for name, text in objects.items()]


def loss_in(message: str) -> str | None:
    """What a refused request lost, in the words of its own check: ``3 of 7 rows of sessions``; None where it failed for another reason."""
    found = _LOSS.search(message)
    return found["lost"] if found else None
