"""Sends the requests of a run. A file is sent once; only a request that does nothing the second time is repeated.

A request that applies all that is pending reads the ledger at its end, in the same transaction: D1 answers once that is committed, so a reply
that shows each file as this run has marked it needs no look after it. Anything else in its place counts as not read.
"""

import random
import re
from collections.abc import Sequence

from crane_infra.d1.database import BoundStatement, Row
from crane_infra.d1.errors import NoAnswerError, RateLimitedError, RefusedError
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import needs_import, without_semicolons_in_comments
from crane_infra.migrations.ledger import Ledger, last_look, ledger_seen
from crane_infra.migrations.requests import apply_request, as_file, base_request
from crane_infra.migrations.run.state import Run

_OF_A_PART = re.compile("incomplete input|unrecognized token|syntax error")


async def send_file(run: Run, file: MigrationFile) -> Ledger | None:
    """Send a migration, or the base schema, in one request; through D1's import where the query endpoint cuts a statement.

    Returns the ledger as ``send_files`` does; an import says nothing of it. Raises ApiError.
    """
    request = _request_for(run, file)
    if file.name in run.cut or any(needs_import(statement.sql) for statement in request):
        run.has_unread_writes = True
        run.log_progress(f"{file.name} runs through D1's import, which blocks the database until it is done")
        run.begin(f"{file.name} in D1's import")
        await run.db.run_file(as_file(request))
        return None
    run.begin(file.name)
    return await _apply(run, (file,), [statement._replace(sql=without_semicolons_in_comments(statement.sql)) for statement in request])


async def send_files(run: Run, files: Sequence[MigrationFile]) -> Ledger | None:
    """Send several migrations in one request, each after the one before.

    Returns the ledger after them, where they are all that was pending and the reply shows each of them as done by this run. Raises ApiError.
    """
    run.begin(f"{files[0].name} to {files[-1].name}")
    return await _apply(run, files, [statement for request in requests_of(run, files) for statement in request])


def requests_of(run: Run, files: Sequence[MigrationFile]) -> list[list[BoundStatement]]:
    """The parts of a request of several files: what claims, applies and records each."""
    return [_request_for(run, file, place) for place, file in enumerate(files)]


def was_cut(run: Run, file: MigrationFile, error: ApiError) -> bool:
    """Tell whether D1's query endpoint has cut a statement of a file at a ``;`` in a string or comment; if so the file goes through import.

    The error is one of SQLite's about what is left of the statement, and nothing of the request stays.
    """
    if file.name in run.cut or not isinstance(error, RefusedError) or not _OF_A_PART.search(error.what):
        return False
    if not any(";" in statement.sql for statement in _request_for(run, file)):
        return False
    run.cut.add(file.name)
    run.log(f"D1's query endpoint cut a statement of {file.name} at a semicolon in a text or comment, so nothing of it was applied")
    return True


async def send_repeatable(run: Run, request: list[BoundStatement]) -> None:
    """Send a request that does nothing the second time; one temporary failure is tolerated. Raises ApiError."""
    try:
        await _send(run, request)
    except ApiError as error:
        if not is_temporary(error) or asks_too_long(error):
            raise
        await wait_for(run, error)
        await _send(run, request)


async def wait_for(run: Run, error: ApiError) -> None:
    """Wait as long as a rate limit asks for; 1 to 5 seconds where it gives no time."""
    if isinstance(error, RateLimitedError):
        await run.pause(random.uniform(1, 5) if error.retry_after is None else error.retry_after)  # noqa: S311 - jitter


def is_temporary(error: ApiError) -> bool:
    """Tell whether the same request may succeed later."""
    return isinstance(error, NoAnswerError | RateLimitedError)


def asks_too_long(error: ApiError) -> bool:
    """Tell whether a rate limit asks for a longer wait than a run accepts."""
    return isinstance(error, RateLimitedError) and error.asks_too_long


async def _send(run: Run, request: list[BoundStatement]) -> None:
    run.has_unread_writes = True
    await run.db.write(request)


async def _apply(run: Run, files: Sequence[MigrationFile], request: list[BoundStatement]) -> Ledger | None:
    if not run.is_all_pending(files):
        await _send(run, request)
        return None
    run.has_unread_writes = True
    rows = await run.db.write_and_read(request, last_look(run.ledger))
    return None if rows is None else _seen(run, files, rows)


def _seen(run: Run, files: Sequence[MigrationFile], rows: Sequence[Row]) -> Ledger | None:
    """The ledger in the rows of a last look; None where it is not one that has these files as this run has marked them."""
    try:
        ledger = ledger_seen(rows, run.db.name)
    except (ApiError, MigrationError):
        return None
    entries = [ledger.entry(file.name) for file in files]
    return ledger if all(entry and entry.token == run.token and entry.done_at for entry in entries) else None


def _request_for(run: Run, file: MigrationFile, place: int = 0) -> list[BoundStatement]:
    """The request of a file; ``place`` is how many others precede it in the same one."""
    if file is run.schema.base:
        return base_request(file, run.plan.contains, run.token, run.release, run.bookmark)
    origin = {"token": run.token, "release": run.release, "bookmark": run.bookmark}
    return apply_request(file, run.counts_around(file), **origin, listed=run.rows_listed + place)
