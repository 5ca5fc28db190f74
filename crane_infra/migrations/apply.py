"""Brings a database up to its files: look, take over, then one request for each pending file.

Never sends a write again before it has read the ledger, and never takes a reply's word against the ledger's. Undoes nothing: the way
back is the Time Travel bookmark, taken before the first pending file; without a bookmark nothing is applied.
Prevents a file applied twice (lost reply, several runners, wrangler in between) and a half-applied file that counts as done.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from crane_infra.d1.client import LONGEST_WAIT
from crane_infra.d1.database import Database, Statement
from crane_infra.d1.errors import BusyError, NoAnswerError, PartialWriteError, RateLimitedError, RefusedError
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files import split
from crane_infra.migrations.files.read import MigrationFile, SchemaFiles, from_empty
from crane_infra.migrations.ledger import Ledger, LedgerHead, read_ledger
from crane_infra.migrations.lint.judge import Accepted, Examined, accepting, examine, first_error
from crane_infra.migrations.lint.row_counts import Counted
from crane_infra.migrations.plan import Plan, StartedNotDoneError, make_plan
from crane_infra.migrations.requests import apply_request, as_file, base_request, loss_in, prepare_request, reopen_request
from crane_infra.migrations.sqlite.failing_statement import describe, find_statement

Pause = Callable[[float], Awaitable[None]]
# Seconds between looks at a file that another runner seems to be applying: 31 s in all, D1 ends a request after 30 s.
POLLS = (1.0, 2.0, 4.0, 8.0, 16.0)
ATTEMPTS = 2
GO_ON = "Run the same `pulumi up` again: it reads the ledger first and goes on from there"


@dataclass(frozen=True)
class Outcome:
    """What a run did: the names it applied and took over, and the head of the ledger afterwards."""

    applied: tuple[str, ...]
    adopted: tuple[str, ...]
    head: LedgerHead


async def bring_up_to(db: Database, wanted: SchemaFiles, *, release: str, log: Callable[[str], None]) -> Outcome:
    """Bring ``db`` to what its stack wants of it; raises as ``migrate`` does."""
    files, base = wanted.files, wanted.base
    return await migrate(db, files, release=release, log=log, base=base, out_of_order=wanted.out_of_order, accepted=wanted.accepted)


async def migrate(  # noqa: PLR0913 - all but the first two by name
    db: Database,
    files: Sequence[MigrationFile],
    *,
    release: str,
    log: Callable[[str], None],
    base: MigrationFile | None = None,
    out_of_order: bool = False,
    accepted: Accepted | None = None,
    pause: Pause = asyncio.sleep,
) -> Outcome:
    """Apply every pending file to ``db``, each exactly once, and say so with ``log``; an empty database gets ``base`` first.

    ``out_of_order`` allows a file that sorts before the last applied one, ``accepted`` what lint would stop. Raises MigrationError (files
    and ledger disagree, lint stops a file, the schema is not what the applied files make, or a file failed) and ApiError (the database
    cannot be read, or gives no bookmark).
    """
    run = _Run(db, files, release, log, out_of_order, pause, base, accepted or {})
    await run.look()
    run.require_clean()
    await run.require_no_drift()
    if run.plan.adopt or (run.plan.pending and not run.ledger.ready):
        await run.prepare()
    if run.plan.pending:
        await run.take_bookmark()
    if run.plan.base:
        await run.apply(run.plan.base)
    for file in run.plan.apply:
        if run.still_pending(file):
            await run.apply(file)
    if run.wrote:
        await run.look()
    return Outcome(tuple(run.applied), tuple(run.adopted), run.ledger.head)


@dataclass
class _Run:
    db: Database
    files: Sequence[MigrationFile]
    release: str
    log: Callable[[str], None]
    out_of_order: bool
    pause: Pause
    base: MigrationFile | None
    accepted: Accepted
    token: str = field(default_factory=lambda: uuid4().hex)
    bookmark: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    plan: Plan = field(default_factory=Plan)
    examined: Mapping[str, Examined] = field(default_factory=dict)
    listed: int = 0
    wrote: bool = False
    applied: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)

    async def look(self) -> None:
        """Read the ledger and plan anew; every refusal of the plan ends the run."""
        self.ledger = await read_ledger(self.db, seen=self.ledger.ready)
        self.listed = self.ledger.listed
        self.plan = make_plan(self.files, self.ledger, self.db.name, base=self.base, out_of_order=self.out_of_order)

    def still_pending(self, file: MigrationFile) -> bool:
        """Tell whether the newest plan has this file: another runner may have applied it since the run began."""
        return file in self.plan.apply

    def require_clean(self) -> None:
        """Say what lint finds in the pending files; what it stops ends the run, before anything is sent."""
        examined = accepting(examine(from_empty(self.files, self.base), self.plan.pending), self.accepted)
        self.examined = {one.file.name: one for one in examined}
        if refusal := first_error(examined):
            raise refusal
        for finding in (finding for one in examined for finding in one.findings):
            self.log(f"{self.db.name}: {finding}")

    async def require_no_drift(self) -> None:
        """Compare the schema with the one that the applied files make; a difference ends the run, before anything is sent."""
        while self.plan.pending:
            try:
                drift = await look_for_drift(self.db, self.ledger, self.files, self.base)
            except MigrationError as error:
                self.log(f"{self.db.name}: its schema could not be compared: {error}")
                return
            if not drift.objects:
                return
            before = self.ledger
            await self.look()
            if self.ledger == before:  # else another run applied something meanwhile
                self.log(drift.told)
                raise drift.error()

    async def prepare(self) -> None:
        """Make the tables and take over wrangler's rows."""
        names = [file.name for file in self.plan.adopt]
        await self._send_repeatable(prepare_request(self.plan.adopt, self.token, self.release))
        self.ledger = replace(self.ledger, ready=True)
        self.adopted += names
        if names:
            self.log(f"{self.db.name}: taken over from wrangler: {', '.join(names)}")
            await self.look()

    async def take_bookmark(self) -> None:
        """Remember the present state, as the way back."""
        self.bookmark = await self.db.bookmark()
        self.log(f"{self.db.name}: {len(self.plan.pending)} pending; back to before them: {self._way_back()}")
        for file in self.plan.out_of_order:
            self.log(f"{self.db.name}: {file.name} runs out of order, as this run allows")

    async def apply(self, file: MigrationFile) -> None:
        """Apply one file; after any doubt the ledger decides whether it is done, tried once more, or a failure."""
        for attempt in range(1, ATTEMPTS + 1):
            listed = self.listed
            try:
                await self._send_file(file, listed)
            except ApiError as error:
                if not _asks_too_long(error) and await self._settle(file, error):
                    return
                if attempt == ATTEMPTS or _asks_too_long(error) or not (self.listed != listed or _passing(error)):
                    raise self._failure(file, error) from None
                await self._wait_for(error)
            else:
                self.listed += len(self.plan.contains) if file is self.base else 1
                self._done(file)
                return

    async def _settle(self, file: MigrationFile, error: ApiError) -> bool:
        """Tell from the ledger whether ``file`` is applied after all; wait while another runner seems to be at it."""
        await self._look_until_clear(file, error)
        entry = self.ledger.entry(file.name)
        if entry and entry.token == self.token and entry.origin in {"applied", "base"}:
            if isinstance(error, PartialWriteError):
                await self._reopen(file, error)
            self._done(file)
        elif entry:
            self.log(f"{self.db.name}: {file.name} was applied by another run meanwhile")
        if self.plan.adopt:
            await self.prepare()
        return entry is not None

    async def _look_until_clear(self, file: MigrationFile, error: ApiError) -> None:
        for seconds in (*POLLS, None):
            try:
                await self.look()
            except StartedNotDoneError as stuck:
                ours = stuck.entry.token == self.token
                if seconds is None or (ours and not isinstance(error, NoAnswerError)):
                    raise StartedNotDoneError(stuck.path, stuck.entry, self.db.name, error.what if ours else "") from None
                self.log(f"{self.db.name}: {stuck.entry.name} is in progress, looking again in {seconds:.0f} s")
                await self.pause(seconds)
            except BusyError as busy:
                if seconds is None:
                    raise MigrationError(file.path, f"{error.what}; and {busy.what}. {self._so_far()}", GO_ON) from None
                self.log(f"{self.db.name}: busy, looking again in {seconds:.0f} s")
                await self.pause(seconds)
            except ApiError as unread:
                what = f"{error.what}; and the ledger of {self.db.name} cannot be read: {unread.what}. {self._so_far()}"
                todo = f"{unread.todo}. {GO_ON}" if isinstance(unread, RefusedError) else GO_ON
                raise MigrationError(file.path, what, todo) from None
            else:
                return

    async def _reopen(self, file: MigrationFile, error: PartialWriteError) -> None:
        """Take the done mark back where D1 says that a statement before it did not run, so that the next run stops at it."""
        request = reopen_request(file.name, self.token)
        try:
            await self._send_repeatable(request)
        except ApiError as kept:
            what = f"{error.what}; the ledger of {self.db.name} calls it done all the same, and taking that back failed: {kept.what}"
            raise MigrationError(file.path, what, f"Do it by hand before anything else: {request[0].sql}, for this file's name") from None
        await self._look_until_clear(file, error)

    async def _send_repeatable(self, request: list[Statement]) -> None:
        """Send what does nothing the second time; so one passing failure is no reason to stop."""
        try:
            await self._send(request)
        except ApiError as error:
            if not _passing(error) or _asks_too_long(error):
                raise
            await self._wait_for(error)
            await self._send(request)

    async def _send_file(self, file: MigrationFile, listed: int) -> None:
        if file is self.base:
            request = base_request(file, self.plan.contains, self.token, self.release, self.bookmark)
        else:
            who = {"token": self.token, "release": self.release, "bookmark": self.bookmark}
            request = apply_request(file, self._counts(file), **who, listed=listed)
        if any(split.is_split_wrongly(one.sql) for one in request):
            self.wrote = True
            self.log(f"{self.db.name}: {file.name} goes through import, which blocks the database meanwhile")
            await self.db.run_file(as_file(request))
        else:
            await self._send(request)

    async def _send(self, request: list[Statement]) -> None:
        self.wrote = True
        await self.db.write(request)

    async def _wait_for(self, error: ApiError) -> None:
        if isinstance(error, RateLimitedError):
            await self.pause(random.uniform(1, 5) if error.retry_after is None else error.retry_after)  # noqa: S311 - jitter

    def _done(self, file: MigrationFile) -> None:
        self.applied.append(file.name)
        self.log(f"{self.db.name}: applied {file.name}")

    def _way_back(self) -> str:
        return f"wrangler d1 time-travel restore {self.db.name} --bookmark={self.bookmark}"

    def _failure(self, file: MigrationFile, error: ApiError) -> MigrationError:
        """Say what failed, what is done, what is pending, and how to go on; the ledger was read just before."""
        if lost := loss_in(error.what):
            return self._loss(file, lost)
        index = error.statement - 1 - len(self._counts(file)) if isinstance(error, PartialWriteError) else None
        if isinstance(error, RefusedError):
            index = find_statement(() if file is self.base else from_empty(self.files, self.base), file, error.what)
        told = " at ".join(filter(None, (f"not applied to {self.db.name}", describe(file, index))))
        left = "The ledger has nothing of it" if isinstance(error, NoAnswerError) else "Nothing of it stays"
        todo = (
            GO_ON if isinstance(error, NoAnswerError) else f"{error.todo}; then run the same `pulumi up` again, it goes on with this file"
        )
        return MigrationError(file.path, f"{told}: {error.what}. {left}. {self._so_far()}", todo)

    def _counts(self, file: MigrationFile) -> tuple[Counted, ...]:
        return self.examined[file.name].counts if file.name in self.examined else ()

    def _loss(self, file: MigrationFile, lost: str) -> MigrationError:
        what = f"not applied to {self.db.name}: it loses {lost}, and does not say so. Nothing of it stays. {self._so_far()}"
        may_go = "say -- crane: loses-rows, or let the stack file accept it (accept-findings: loses-rows)"
        todo = f"Copy what refers to a table before it is dropped; if these rows may go, {may_go}"
        return MigrationError(file.path, what, f"{todo}. docs/lint.md shows how")

    def _so_far(self) -> str:
        pending = [file.name for file in self.plan.pending if file.name not in self.applied]
        return f"Applied in this run: {', '.join(self.applied) or 'none'}. Pending: {', '.join(pending) or 'none'}"


def _passing(error: ApiError) -> bool:
    return isinstance(error, NoAnswerError | RateLimitedError)


def _asks_too_long(error: ApiError) -> bool:
    return isinstance(error, RateLimitedError) and (error.retry_after or 0) > LONGEST_WAIT
