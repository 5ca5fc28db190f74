"""Builds the requests that write to the ledger: create its tables, claim a file, apply it, mark it as done. Pure; ``run.send`` sends them.

One request claims and applies a file, so two runs cannot both apply it, and the ledger never calls a half-applied file done.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from crane_infra.d1.database import BoundStatement
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import sql_literal
from crane_infra.migrations.files.tokens import tokens
from crane_infra.migrations.ledger import COLUMNS, Origin
from crane_infra.migrations.lint.row_counts import Counted
from crane_infra.migrations.own_tables import ACCEPTED, CREATE, CREATE_EDITS, EDITS, OURS, ROWS, WRANGLER

LOST = "crane: lost"
_CLAIM = f'INSERT INTO {OURS} (name, sha256, origin, token, "release", bookmark, started_at)'
_LOSS = re.compile(re.escape(LOST) + r" (?P<lost>\d+ of \d+ rows of .+?)\|")
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"


def prepare_request(adopt: Sequence[MigrationFile], token: str, release: str) -> list[BoundStatement]:
    """Build the request that creates the tables and imports wrangler's rows; sent twice, it does nothing the second time."""
    import_row = (
        f"INSERT OR IGNORE INTO {OURS} (name, {COLUMNS}) "  # noqa: S608 - names of ours, values are bound
        f"SELECT name, ?, 'adopted', ?, ?, NULL, applied_at, applied_at FROM {WRANGLER} WHERE name = ?"
    )
    return [*map(BoundStatement, CREATE), *(BoundStatement(import_row, (file.sha256, token, release, file.name)) for file in adopt)]


def base_record(base: MigrationFile, token: str, release: str) -> BoundStatement:
    """Build the statement that records the digest of a base schema which a database has already; sent twice, it does nothing the second time."""
    record = (
        f"INSERT OR IGNORE INTO {OURS} (name, {COLUMNS}) SELECT ?, ?, 'base', ?, ?, NULL, {_NOW}, {_NOW} "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT 1 FROM {OURS} WHERE origin = 'base')"
    )
    return BoundStatement(record, (base.name, base.sha256, token, release))


def edit_request(edits: Sequence[tuple[str, str, str]]) -> list[BoundStatement]:
    """Build the request that accepts edits of applied files, each by its name in the ledger and its digests before and after.

    One whose digest is no longer the one before is left as it is.
    """
    keep = f"INSERT INTO {EDITS} (migration, was, became, accepted_at) SELECT name, sha256, ?, {_NOW} FROM {OURS} WHERE name = ? AND sha256 = ?"  # noqa: S608
    change = f"UPDATE {OURS} SET sha256 = ? WHERE name = ? AND sha256 = ?"  # noqa: S608
    pairs = ((BoundStatement(keep, (now, name, was)), BoundStatement(change, (now, name, was))) for name, was, now in edits)
    return [BoundStatement(CREATE_EDITS), *(statement for pair in pairs for statement in pair)]


def apply_request(
    file: MigrationFile, counts: Sequence[Counted], *, token: str, release: str, bookmark: str, listed: int
) -> list[BoundStatement]:
    """Build the one request that applies a file: our token first, the file and its single statements between row counts, wrangler's row, the done mark last.

    The first statement fails, and the request with it, where another run has claimed the file (primary key) or where the ledger no longer has
    ``listed`` rows (a name of NULL is refused), since the plan is out of date then. A loss of rows that is not declared fails the request too.
    """
    return [
        _claim(file, "applied", (token, release, bookmark), listed),
        *(statement for _, statement in _counted(file, counts)),
        *_refuse_losses(file, counts),
        BoundStatement(f"INSERT INTO {WRANGLER} (name) VALUES (?)", (file.name,)),  # noqa: S608
        _done(file, token),
    ]


def base_request(base: MigrationFile, contains: Sequence[MigrationFile], token: str, release: str, bookmark: str) -> list[BoundStatement]:
    """Build the one request that creates a base schema in an empty database and records the migrations that it contains."""
    return [
        _claim(base, "base", (token, release, bookmark), 0),
        *map(BoundStatement, base.statements),
        *baseline_request(contains, token, release),
        _done(base, token),
    ]


def baseline_request(files: Sequence[MigrationFile], token: str, release: str) -> list[BoundStatement]:
    """Build the statements that record migrations as done without running them, because the database already has their schema."""
    record = f"INSERT INTO {OURS} (name, {COLUMNS}) VALUES (?, ?, 'baseline', ?, ?, NULL, {_NOW}, {_NOW})"  # noqa: S608
    listing = f"INSERT INTO {WRANGLER} (name) VALUES (?)"  # noqa: S608
    both = ((BoundStatement(listing, (file.name,)), BoundStatement(record, (file.name, file.sha256, token, release))) for file in files)
    return [statement for pair in both for statement in pair]


def claims_in(request: Sequence[BoundStatement]) -> int:
    """How many files a request applies: each begins with the statement that claims it."""
    return sum(statement.sql.startswith(_CLAIM) for statement in request)


def as_file(request: Sequence[BoundStatement]) -> str:
    """Turn a request into one SQL file for D1's import, where no value can be bound."""
    return "".join(f"{_ended(_inlined(statement))}\n" for statement in request)


def statement_at(file: MigrationFile, counts: Sequence[Counted], position: int) -> int | None:
    """The index in its file of the statement at this position of an apply request; None where that is one of ours."""
    numbers = [None, *(number for number, _ in _counted(file, counts))]
    return numbers[position] if position < len(numbers) else None


def _counted(file: MigrationFile, counts: Sequence[Counted]) -> Iterator[tuple[int | None, BoundStatement]]:
    """The statements of a file, each with its index, between what counts before and after them."""
    for index, sql in enumerate(file.statements):
        number = index + 1
        yield from ((None, _add(file, count, rows)) for count in counts for rows in count.before(number))
        yield from ((None, _start(file, count)) for count in counts if count.span.first == number)
        yield index, BoundStatement(sql)
        # What changes() tells is of the last statement that ended, so it is read first.
        yield from ((None, _add(file, count, rows)) for count in counts for rows in count.right_after(number))
        yield from ((None, _add(file, count, rows)) for count in counts for rows in count.after(number))


def _claim(file: MigrationFile, origin: Origin, recorded: tuple[str, str, str], listed: int) -> BoundStatement:
    claim = f"""{_CLAIM}
    SELECT CASE WHEN (SELECT COUNT(*) FROM {WRANGLER}) = {int(listed)} THEN ? END, ?, '{origin}', ?, ?, ?, {_NOW}"""  # noqa: S608
    return BoundStatement(claim, (file.name, file.sha256, *recorded))


def _start(file: MigrationFile, count: Counted) -> BoundStatement:
    label = sql_literal(count.label)
    return BoundStatement(f"INSERT OR REPLACE INTO {ROWS} SELECT {sql_literal(file.name)}, {label}, ({count.query}), 0")


def _add(file: MigrationFile, count: Counted, rows: str) -> BoundStatement:
    """Add an expression to the rows that are left."""
    where = f"migration = {sql_literal(file.name)} AND counted = {sql_literal(count.label)}"
    return BoundStatement(f"UPDATE {ROWS} SET after = after {rows} WHERE {where}")  # noqa: S608


def _refuse_losses(file: MigrationFile, counts: Sequence[Counted]) -> list[BoundStatement]:
    """Build an update that fails for the first count that fell; an invalid JSON path is the only way to fail in SQL with a message of one's own."""
    if not (kept := [sql_literal(count.label) for count in counts if not count.may_fall]):
        return []
    message = f"'{LOST} ' || (before - after) || ' of ' || before || ' rows of ' || counted || '|'"
    where = f"migration = {sql_literal(file.name)} AND after < before AND counted IN ({', '.join(kept)})"
    return [BoundStatement(f"UPDATE {ROWS} SET after = json_extract('{{}}', {message}) WHERE {where}")]  # noqa: S608


def _done(file: MigrationFile, token: str) -> BoundStatement:
    return BoundStatement(f"UPDATE {OURS} SET done_at = {_NOW} WHERE name = ? AND token = ?", (file.name, token))  # noqa: S608


def _inlined(statement: BoundStatement) -> str:
    """A statement with its values in place; those of ours have no other question mark, and one without values is unchanged."""
    if not statement.params:
        return statement.sql
    parts = statement.sql.split("?")
    values = [sql_literal(str(value)) for value in statement.params]
    return "".join(part for pair in itertools.zip_longest(parts, values, fillvalue="") for part in pair)


def _ended(statement: str) -> str:
    """A statement with its semicolon, on the same line where it can be: SQLite stores an index with all that stands before that."""
    last = list(tokens(statement))[-1:]
    return f"{statement}\n;" if last and last[0].text.startswith("--") else f"{statement};"


def reopen_request(name: str, token: str) -> list[BoundStatement]:
    """Build the request that undoes a done mark of this run."""
    return [BoundStatement(f"UPDATE {OURS} SET done_at = NULL WHERE name = ? AND token = ?", (name, token))]  # noqa: S608


def accept_request(objects: Mapping[str, str | None], after: str | None) -> list[BoundStatement]:
    """Build the statements that record objects as accepted, each with its SQL (None: it is missing); ``after`` is the last migration."""
    record = f"INSERT OR REPLACE INTO {ACCEPTED} (object, sql, after, accepted_at) VALUES (?, ?, ?, {_NOW})"  # noqa: S608
    return [BoundStatement(record, (name, text, after)) for name, text in objects.items()]


def loss_in(message: str) -> str | None:
    """The rows that a refused request would have lost: ``3 of 7 rows of sessions``; None where it failed for another reason."""
    match = _LOSS.search(message)
    return match["lost"] if match else None
