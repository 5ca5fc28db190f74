"""Brings a database up to its migration files: judge, import wrangler's rows, then a request for each pending file.

Files that only change the schema share requests (``run.shared``).

The ledger decides, not the reply: after a failed write it is read before anything is sent again, and after the last file it is read whatever
the replies said; a request that applies all that is pending reads it itself (``run.send``). Nothing is undone: the way back is the Time Travel bookmark taken before the first pending file, and without a bookmark
nothing is applied.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from crane_infra.at_once import both
from crane_infra.d1.database import DatabaseClient
from crane_infra.errors import ApiError
from crane_infra.migrations.drift import SchemaDiffersError
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.ledger import Ledger, LedgerHead, read_ledger
from crane_infra.migrations.run.failure import failure, require_recorded
from crane_infra.migrations.run.prepare import prepare
from crane_infra.migrations.run.send import asks_too_long, is_temporary, send_file, wait_for, was_cut
from crane_infra.migrations.run.settle import settle
from crane_infra.migrations.run.shared import apply_together, next_to_send
from crane_infra.migrations.run.state import Pause, Progress, Run
from crane_infra.migrations.status import judge_live

ATTEMPTS = 2
"""How often a file is sent at most; the second time only if the ledger has no record of it."""


class Outcome(NamedTuple):
    """The result of a run: the files it applied, those it imported from wrangler's ledger, and the head of the ledger afterwards."""

    applied: tuple[str, ...]
    adopted: tuple[str, ...]
    head: LedgerHead


async def migrate(  # noqa: PLR0913 - most are keywords
    db: DatabaseClient,
    schema: SchemaFiles,
    *,
    release: str,
    log: Callable[[str], None],
    progress: Progress | None = None,
    known: Ledger | LedgerHead | None = None,
    pause: Pause = asyncio.sleep,
) -> Outcome:
    """Apply every pending file of ``schema`` to ``db``, each exactly once; an empty database gets the base schema first.

    ``release`` is recorded in the ledger; ``progress`` is told what goes as planned, where ``log`` should not be. ``known`` is how the ledger
    stood at an earlier look, or its head after the last release: the bookmark is taken while it is read, and counts where it is the same still.

    Raises MigrationError (files and ledger disagree, lint stops a file, the live schema differs, or a file failed) and ApiError (the database
    cannot be read, or has no bookmark).
    """
    run = Run(db, schema, release, log, pause, watcher=progress)
    judgement, bookmark = await _judgement_and_bookmark(run, known)
    _report(run, judgement)
    run.start_from(judgement)
    if run.plan.adopt or run.base_to_record or (run.plan.pending and not run.ledger.ready):
        await prepare(run)
    if run.plan.pending:
        await _take_bookmark(run, bookmark)
    if run.plan.base:
        await _apply(run, run.plan.base)
    await _apply_all(run, run.plan.apply)
    if run.has_unread_writes:
        await run.read_again()
    require_recorded(run)
    return Outcome(tuple(run.applied), tuple(run.adopted), run.ledger.head)


async def _stable_judgement(run: Run) -> Judgement:
    """Judge the database; again while another run changes its ledger, since schema and ledger may be read at different moments."""
    judgement = await judge_live(run.db, run.schema, await read_ledger(run.db, ready=run.schema.has_ledger))
    while isinstance(judgement.refusal, SchemaDiffersError):
        ledger = await read_ledger(run.db, ready=judgement.ledger.ready)
        if ledger == judgement.ledger:
            break
        judgement = await judge_live(run.db, run.schema, ledger)
    return judgement


def _report(run: Run, judgement: Judgement) -> None:
    """Log what lint and the comparison of schemas found; raise the refusal, if there is one."""
    difference = judgement.refusal if isinstance(judgement.refusal, SchemaDiffersError) else None
    if judgement.refusal and difference is None:
        raise judgement.refusal
    for finding in judgement.findings:
        run.log(str(finding))
    if judgement.not_compared:
        run.log(f"its schema could not be compared with its migrations: {judgement.not_compared}")
    if difference:
        run.write_log(difference.diff)
        raise difference


async def _judgement_and_bookmark(run: Run, known: Ledger | LedgerHead | None) -> tuple[Judgement, str | None]:
    """Judge the database and take its bookmark side by side; no bookmark where another run may have changed the ledger since it was ``known``.

    A file that another run applied between both would be in the ledger and not in the state of the bookmark, so the way back would undo it
    too. One that is applied after both is noticed by the first statement of a request.
    """
    if known is None:
        return await _stable_judgement(run), None
    judgement, bookmark = await both(_stable_judgement(run), _bookmark_if_told(run.db))
    found = judgement.ledger if isinstance(known, Ledger) else judgement.ledger.head
    return judgement, bookmark if found == known else None


async def _bookmark_if_told(db: DatabaseClient) -> str | None:
    """None where it cannot be read: the run asks again where it needs one."""
    try:
        return await db.bookmark()
    except ApiError:
        return None


async def _take_bookmark(run: Run, taken: str | None) -> None:
    """Remember the state before the pending files, as the way back; ``taken`` where the run has a bookmark of it."""
    run.bookmark = taken or await run.db.bookmark()
    way_back = f"wrangler d1 time-travel restore {run.db.name} --bookmark={run.bookmark}"
    run.log(f"{len(run.plan.pending)} pending; to return to the state before them: {way_back}")
    for file in run.plan.out_of_order:
        run.log(f"{file.name} runs out of order, as the stack file allows")


async def _apply_all(run: Run, files: Sequence[MigrationFile]) -> None:
    while files:
        due = next_to_send(run, files)
        files, due = files[len(due) :], list(filter(run.is_pending, due))
        if len(due) > 1:
            await apply_together(run, due)
        for file in filter(run.is_pending, due):
            await _apply(run, file)


async def _apply(run: Run, file: MigrationFile) -> None:
    """Apply one file. After any doubt the ledger decides whether it is applied, is sent once more, or failed."""
    for attempt in range(1, ATTEMPTS + 1):
        rows_listed = run.rows_listed
        try:
            ledger = await send_file(run, file)
        except ApiError as error:
            if asks_too_long(error):
                raise failure(run, file, error) from None
            if await settle(run, file, error):
                return
            require_recorded(run)  # an earlier file that is missing comes first
            may_succeed = run.rows_listed != rows_listed or is_temporary(error) or was_cut(run, file, error)
            if attempt == ATTEMPTS or not may_succeed:
                raise failure(run, file, error) from None
            await wait_for(run, error)
        else:
            run.record((file,), ledger)
            return
