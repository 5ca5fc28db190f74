"""Talks to one D1 database.

Reads are sent again after temporary failures, a write is sent once. ``reply`` decides what a reply means; the caller decides what to do about
an unknown outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from crane_infra.d1 import reply
from crane_infra.d1.answer import Answer, Call, read_result
from crane_infra.d1.api import Api, again
from crane_infra.d1.database import BoundStatement, Param, Result, Row
from crane_infra.d1.errors import NotFoundError
from crane_infra.d1.imports import Importer

READ, WRITE = "D1 Read", "D1 Write"
_ANYTHING: TypeAdapter[object] = TypeAdapter(object)


class D1:
    """The client of one database (a ``DatabaseClient``). The caller owns the connections and closes them."""

    def __init__(self, api: Api, account_id: str, database_id: str, name: str) -> None:
        self._api = api
        self._path = "/".join(("/accounts", quote(account_id, safe=""), "d1/database", quote(database_id, safe="")))
        missing = reply.missing_database(account_id, database_id)
        self._call = Call(f"D1 database {name}", READ, account_id, missing, hidden=self._api.credentials, server="D1")
        self._name = name

    @property
    def name(self) -> str:
        """The database's name."""
        return self._name

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT and return its rows. They are counted in the same request, so that an empty answer never passes for "no rows".

        Sent up to five times after rate limits, server errors, lost connections and answers that cannot be true. Raises ApiError
        (RefusedError, NoAnswerError), and ValueError for anything but a SELECT: a read may be repeated, so it must not write.
        """
        _require_select(sql)
        call = self._with(params)

        async def once() -> list[Row]:
            try:
                number, selected = await self._query(call, _counted(sql, params))
            except NotFoundError:
                if await self._exists():
                    raise call.unanswered("a query finds no such database, and the database is there") from None
                raise
            return reply.read_counted(call, number, selected)

        return await again(once)

    async def select(self, statements: Sequence[BoundStatement]) -> list[list[Row]]:
        """Run SELECTs in one request, as one moment of the database, and return the rows of each.

        Nothing counts them, since that would read them a second time: the caller tells an answer that lost its rows from no rows. Sent again
        like ``read``, and raises as it does.
        """
        for sql, _ in statements:
            _require_select(sql)
        call = self._with([param for _, values in statements for param in values])

        async def once() -> list[list[Row]]:
            return [list(result.rows) for result in await self._query(call, statements)]

        return await again(once)

    async def write(self, statements: Sequence[BoundStatement]) -> list[Result]:
        """Run the statements in order, in one request that is never sent again.

        Raises RefusedError (nothing stays; RolledBackError where statements ran), WriteOutcomeUnknown (read before you decide) or PartialWriteError.
        """
        return await self._query(self._writing([param for _, values in statements for param in values]), statements)

    async def write_and_read(self, statements: Sequence[BoundStatement], select: str) -> list[Row] | None:
        """Run the statements as ``write`` does, and at their end one SELECT, which sees what they have done; the last of them has no rows.

        Returns its rows, counted like those of ``read``; None where the write is answered for and its rows are not all there. Raises as
        ``write`` does, and ValueError for anything but a SELECT.
        """
        _require_select(select)
        call = self._writing([param for _, values in statements for param in values])
        answer = await self._send(call, [*statements, *_counted(select)])
        return reply.read_write_and_rows(call, answer, len(statements))

    async def run_file(self, sql: str) -> None:
        """Run one SQL file through D1's import, which blocks the database meanwhile.

        Raises RefusedError (RolledBackError where it had begun), WriteOutcomeUnknown (read before you decide), or NoAnswerError before anything was run.
        """
        await self._importer().run(sql)

    async def import_file(self, file: Path) -> None:
        """Run a file of SQL, which may be larger than memory, as ``run_file`` does. Raises as it does, and OSError where it cannot be read."""
        await self._importer().run(file)

    async def bookmark(self) -> str:
        """Return the Time Travel bookmark of the present state; retried like a read. Raises ApiError."""
        path = f"{self._path}/time_travel/bookmark"

        async def once() -> str:
            return reply.read_bookmark(self._call, await self._api.get(self._call, path))

        return await again(once)

    async def restore(self, bookmark: str) -> None:
        """Restore the database in place to the state of a Time Travel bookmark.

        Sent up to five times after failures that may pass: restored twice, it is the same state. Raises RefusedError for a bookmark that D1
        does not have, ApiError where it fails.
        """
        call = self._writing()
        path = f"{self._path}/time_travel/restore?{urlencode({'bookmark': bookmark})}"

        async def once() -> str:
            return reply.read_bookmark(call, await self._api.send(call, "POST", path, {}))

        await again(once)

    async def _exists(self) -> bool:
        """What the list of databases says: "no such database" counts only where a second, different read agrees."""
        try:
            read_result(self._call, await self._api.get(self._call, self._path), _ANYTHING)
        except NotFoundError:
            return False
        return True

    def _with(self, params: Sequence[Param]) -> Call:
        """The call, with values that no message may show."""
        return replace(self._call, hidden=(*self._call.hidden, *(str(param) for param in params if param is not None)))

    def _importer(self) -> Importer:
        call = self._writing()
        return Importer(_Imports(self._api, f"{self._path}/import", call), call)

    def _writing(self, params: Sequence[Param] = ()) -> Call:
        return replace(self._with(params), permission=WRITE, is_write=True)

    async def _query(self, call: Call, statements: Sequence[BoundStatement]) -> list[Result]:
        return reply.read_results(call, await self._send(call, statements), len(statements))

    async def _send(self, call: Call, statements: Sequence[BoundStatement]) -> Answer:
        batch = [{"sql": sql, "params": list(params)} for sql, params in statements]
        return await self._api.send(call, "POST", f"{self._path}/query", {"batch": batch})


def _counted(select: str, params: Sequence[Param] = ()) -> list[BoundStatement]:
    """A SELECT after the number of its rows."""
    number = f"SELECT COUNT(*) AS counted FROM ({select})"  # noqa: S608 - a query of ours, values are bound
    return [BoundStatement(number, params), BoundStatement(select, params)]


def _require_select(sql: str) -> None:
    if sql.split(maxsplit=1)[:1] not in (["SELECT"], ["select"]):
        message = "only a SELECT may be sent again"
        raise ValueError(message)


@dataclass(frozen=True)
class _Imports:
    """The import endpoint of one database."""

    api: Api
    path: str
    call: Call

    async def again(self, body: dict[str, str]) -> reply.Import:
        """Call it, up to five times; for calls whose reply may be lost without harm."""
        return await again(lambda: self._send(replace(self.call, is_write=False), body))

    async def once(self, body: dict[str, str]) -> reply.Import:
        """Call it once."""
        return await self._send(self.call, body)

    async def _send(self, call: Call, body: dict[str, str]) -> reply.Import:
        return reply.read_import(call, await self.api.send(call, "POST", self.path, dict(body)))
