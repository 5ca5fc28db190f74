"""Finds out from the ledger whether a file was applied after a request failed.

A lost reply does not mean that D1 did nothing, so nothing is sent again before the ledger was read. Another run, or D1 itself, may still be
working on the file; this waits for it.
"""

from collections.abc import Sequence
from itertools import accumulate

from crane_infra.d1.errors import BusyError, NoAnswerError, PartialWriteError, RefusedError
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.requests import as_file, reopen_request
from crane_infra.migrations.run.failure import RUN_AGAIN
from crane_infra.migrations.run.prepare import prepare
from crane_infra.migrations.run.send import requests_of, send_repeatable
from crane_infra.migrations.run.state import Run
from crane_infra.migrations.unfinished import StartedNotDoneError

POLLS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between looks at a file that another run seems to be applying: 31 s in all, since D1 ends a request after 30 s."""


async def settle(run: Run, file: MigrationFile, error: ApiError) -> bool:
    """Read the ledger after ``error`` and tell whether ``file`` is applied after all.

    Raises MigrationError where the file was started and is not done, or where the ledger cannot be read.
    """
    return bool(await settle_all(run, (file,), error))


async def settle_all(run: Run, files: Sequence[MigrationFile], error: ApiError) -> list[MigrationFile]:
    """Read the ledger after a request of several files failed; returns those that are applied after all. Raises as ``settle`` does."""
    await _read_until_clear(run, files[0], error)
    recorded = [file for file in files if run.ledger.entry(file.name)]
    if isinstance(error, PartialWriteError):
        await _reopen(run, _doubtful(run, files, error), error)
    for file in filter(None, (run.schema.base, *run.schema.files)):
        if _is_ours(run, file) and file.name not in run.applied:  # a shared request that was given up may land later, with others in it
            run.mark_applied(file)
        elif file in recorded and not _is_ours(run, file):
            run.log(f"another run applied {file.name} in the meantime")
    if run.plan.adopt:
        await prepare(run)
    return recorded


def _is_ours(run: Run, file: MigrationFile) -> bool:
    entry = run.ledger.entry(file.name)
    return entry is not None and entry.token == run.token and entry.origin in {"applied", "base"}


def _doubtful(run: Run, files: Sequence[MigrationFile], error: PartialWriteError) -> list[MigrationFile]:
    """The files that this run recorded, from the one whose statement has no result on: nothing is known of those after it either."""
    ends = accumulate(len(request) for request in requests_of(run, files))
    at_fault = next((place for place, end in enumerate(ends) if error.statement < end), 0)
    return [file for file in files[at_fault:] if _is_ours(run, file)]


async def _read_until_clear(run: Run, file: MigrationFile, error: ApiError) -> None:
    for number, seconds in enumerate((*POLLS, None)):
        try:
            await run.read_again()
        except StartedNotDoneError as unfinished:
            is_ours = unfinished.entry.token == run.token
            if seconds is None or (is_ours and not isinstance(error, NoAnswerError)):
                cause = error.what if is_ours else ""
                raise StartedNotDoneError(unfinished.path, unfinished.entry, run.db.name, cause) from None
            run.log_progress(
                f"{unfinished.entry.name} is in progress; checking again in {seconds:.0f} s, for {sum(POLLS[number:]):.0f} s at most"
            )
            run.begin(f"{unfinished.entry.name}, which is in progress", seconds)
            await run.pause(seconds)
        except BusyError as busy:
            if seconds is None:
                raise MigrationError(file.path, f"{error.what}; and {busy.what}. {run.progress}", RUN_AGAIN) from None
            run.log_progress(f"the database is busy; checking again in {seconds:.0f} s, for {sum(POLLS[number:]):.0f} s at most")
            run.begin(f"{file.name}: the database is busy", seconds)
            await run.pause(seconds)
        except ApiError as unread:
            raise _unreadable(run, file, error, unread) from None
        else:
            return


async def _reopen(run: Run, files: Sequence[MigrationFile], error: PartialWriteError) -> None:
    """Undo the done marks where D1 reports that an earlier statement did not run, so that the next run stops at the first of these files."""
    if not files:
        return
    file, request = files[0], [statement for each in files for statement in reopen_request(each.name, run.token)]
    try:
        await send_repeatable(run, request)
    except ApiError as failure:
        what = f"{error.what}; the ledger of {run.db.name} still marks it as done, and undoing that failed: {failure.what}"
        raise MigrationError(file.path, what, f"Before anything else, run this by hand: {as_file(request)}") from None
    await _read_until_clear(run, file, error)


def _unreadable(run: Run, file: MigrationFile, error: ApiError, unread: ApiError) -> MigrationError:
    what = f"{error.what}; and the ledger of {run.db.name} cannot be read: {unread.what}. {run.progress}"
    todo = f"{unread.todo}. {RUN_AGAIN}" if isinstance(unread, RefusedError) else RUN_AGAIN
    return MigrationError(file.path, what, todo)
