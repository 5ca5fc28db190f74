"""Sends one SQL file through D1's import: upload, ingest, poll. The server runs it unchanged, as one transaction.

It is for statements that the query endpoint may cut at a semicolon, such as triggers. All calls but the ingest can be repeated; a lost reply
to the ingest leaves the outcome unknown, and the caller reads before it decides.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Protocol

import httpx

from crane_infra.d1 import reply
from crane_infra.d1.answer import BUSY, Call
from crane_infra.d1.errors import RERUN, WAIT, BusyError, NoAnswerError, RefusedError, RolledBackError
from crane_infra.d1.import_file import ImportFile, import_file

Pause = Callable[[float], Awaitable[None]]
LONGEST_IMPORT = 900.0
"""Seconds. An import may take long and blocks the database; a hook's own deadline ends a run."""
_SLOWEST = 500_000
"""Bytes a second that an import of a large file is at least expected to run."""
_POLL_SECONDS, _UPLOAD_SECONDS = (0.2, 0.5, 1.0, 2.0), 120.0


class Endpoint(Protocol):
    """The import endpoint of one database."""

    async def again(self, body: dict[str, str]) -> reply.Import:
        """Call it with a body that can be sent again; retried after temporary failures."""

    async def once(self, body: dict[str, str]) -> reply.Import:
        """Call it with a body that is sent once; raises WriteOutcomeUnknown if the reply is lost."""


@dataclass(frozen=True)
class Importer:
    """Imports files into one database, which ``call`` names in errors."""

    endpoint: Endpoint
    call: Call
    pause: Pause = asyncio.sleep

    async def run(self, sql: str | Path) -> None:
        """Import SQL, or a file of SQL.

        Raises RefusedError (RolledBackError where it had begun), WriteOutcomeUnknown (read before you decide), or NoAnswerError before anything was run.
        """
        file = await asyncio.to_thread(import_file, sql)
        begun = await self.endpoint.again({"action": "init", "etag": file.etag})
        self._require_no_error(begun, RefusedError)
        if not begun.upload_url or not begun.filename:
            raise replace(self.call, is_write=False).unanswered("the import has no address to upload the file to", RERUN)
        await self._upload(begun.upload_url, file)
        state = await self.endpoint.once({"action": "ingest", "etag": file.etag, "filename": begun.filename})
        await self._wait(state, max(LONGEST_IMPORT, file.size / _SLOWEST))

    async def _upload(self, url: str, file: ImportFile) -> None:
        """Upload the file to the signed address of the endpoint, without the token."""
        failure, headers = "", {"content-length": str(file.size)}
        for seconds in (0.5, 2.0, None):
            try:
                async with httpx.AsyncClient(timeout=_UPLOAD_SECONDS) as http:
                    (await http.put(url, content=file.chunks(), headers=headers)).raise_for_status()
            except httpx.HTTPStatusError as error:
                failure = f"status {error.response.status_code}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                failure = type(error).__name__
            else:
                return
            if seconds is not None:
                await self.pause(seconds)
        raise NoAnswerError(self.call.where, f"the import file could not be uploaded: {failure}", RERUN)

    async def _wait(self, state: reply.Import, longest: float) -> None:
        began, waits = monotonic(), iter(_POLL_SECONDS)
        while state.status != "complete":
            self._require_no_error(state, RolledBackError)
            if not state.bookmark:
                raise self.call.unanswered("the import says neither how far it is nor that it is done")
            if monotonic() - began > longest:
                raise self.call.unanswered(f"the import did not finish within {longest:.0f} s")
            await self.pause(next(waits, _POLL_SECONDS[-1]))
            try:
                state = await self.endpoint.again({"action": "poll", "current_bookmark": state.bookmark})
            except NoAnswerError as error:
                raise self.call.unanswered(error.what) from None

    def _require_no_error(self, state: reply.Import, kind: type[RefusedError]) -> None:
        if BUSY in state.error:
            raise BusyError(self.call.where, f"the database is busy: {state.error}", WAIT, None)
        if state.error:
            raise self.call.refused(f"D1 refused it: {state.error}", "Fix what the message names", kind)
