"""What this process knows of each database beyond its record: the queries under way, what blocks it, its long jobs.

Nothing of this needs to survive a restart: an import is one SQLite transaction, and so is a restore. A state that a kill or a failure left out
is still there, and the next call that may write keeps it first. It runs no SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.d1.history import History, State
from local_cloud.envelope import BAD_REQUEST, NO_SUCH_DATABASE, NOT_FOUND, SQL_ERROR, Refusal
from local_cloud.workerd.barrier import Traffic
from local_cloud.workerd.paths import database_file, side_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from local_cloud.store import Body

_KEPT_JOBS = 20


@dataclass
class Job:
    """A long job, that is an import or an export. Its client knows it by the bookmark at which it began."""

    kind: str
    bookmark: str
    polls_left: int
    task: asyncio.Task[dict[str, Any]]


@dataclass
class OpenDatabase:
    """One database that calls use; ``busy`` is the kind of job that blocks it, or empty.

    The state after a write is kept beside the reply, and the next call waits for it. Writes whose calls were under way at once may share one.
    """

    history: History
    traffic: Traffic = field(default_factory=Traffic)
    busy: str = ""
    jobs: deque[Job] = field(default_factory=lambda: deque(maxlen=_KEPT_JOBS))
    restores: deque[float] = field(default_factory=deque)
    is_gone: bool = False
    writing_history: asyncio.Lock = field(default_factory=asyncio.Lock)
    knows_present: bool = False
    """Whether every state that calls wrote is kept: also those to an earlier process, and those whose copy failed."""
    _unkept_since: int = 0
    _keeper: asyncio.Task[None] | None = None
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextlib.asynccontextmanager
    async def query(self) -> AsyncIterator[None]:
        """Use the database: wait while it is restored; refuse while an import or an export blocks it, or once it is deleted."""
        self.refuse_if_busy()
        async with self.passing():
            yield

    @contextlib.asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Use the database although a job blocks it: wait while it is restored; refuse once it is deleted."""
        await self.traffic.enter()
        try:
            if self.is_gone:
                raise Refusal(NOT_FOUND, NO_SUCH_DATABASE, "The database could not be found")
            await self.kept()
            yield
        finally:
            self.traffic.leave()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Use the database alone, to restore or delete it: hold back new calls and wait for those under way; refuse once it is deleted."""
        async with self._changing, self.traffic.stopped():
            if self.is_gone:
                raise Refusal(NOT_FOUND, NO_SUCH_DATABASE, "The database could not be found")
            await self.kept()
            yield

    def refuse_if_busy(self) -> None:
        """Refuse while an import or an export blocks the database, with production's text (workers-sdk 9519)."""
        if self.busy:
            raise Refusal(BAD_REQUEST, SQL_ERROR, f"Currently processing a long-running {self.busy}.")

    async def record(self, *, written: bool) -> State:
        """Keep the present state unless it is kept already, and give it; after a write it is always a new one."""
        await self.kept()
        return await self._record(written=written)

    def wrote(self) -> None:
        """Begin to keep the state that a call has just written, in the background."""
        self._unkept_since = self._unkept_since or time.time_ns()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())

    async def kept(self) -> None:
        """Wait until the states of all writes are kept; if one could not be, ``knows_present`` says so."""
        if self._keeper is not None and not self._keeper.done():
            await asyncio.wait([self._keeper])

    async def _keep(self) -> None:
        try:
            while began := self._unkept_since:
                self._unkept_since = 0
                await self._record(written=True, at=began)
        except (OSError, sqlite3.Error) as error:
            self._unkept_since, self.knows_present = 0, False
            logging.getLogger(__name__).error("a state for Time Travel could not be kept: %s", type(error).__name__)  # noqa: TRY400 (no trace)

    async def _record(self, *, written: bool, at: int | None = None) -> State:
        async with self.writing_history:
            state = await asyncio.to_thread(self.history.record, written=written, at=at)
        self.knows_present = True
        return state


class OpenDatabases:
    """The open databases of one cloud; each one opens when a call first asks for it."""

    def __init__(self) -> None:
        """Start with none."""
        self._opened: dict[str, OpenDatabase] = {}

    def of(self, databases: Path, database: Body) -> OpenDatabase:
        """Give an open database; ``databases`` is the folder of all databases."""
        uuid = database["uuid"]
        if uuid not in self._opened:
            folder = side_folder(databases, uuid, "history")
            self._opened[uuid] = OpenDatabase(History(database_file(databases, uuid), folder, database["created_at"]))
        return self._opened[uuid]

    async def kept(self) -> None:
        """Wait until the states of all writes to all databases are kept, as far as they can be."""
        for database in tuple(self._opened.values()):
            await database.kept()

    def forget(self, uuid: str) -> None:
        """Forget a deleted database."""
        self._opened.pop(uuid, None)
