"""Talks to one D1 database through the official SDK.

Reads are sent again after temporary failures. A write is sent once, and the SDK's own retries are off, since it would repeat a POST after a
lost reply. ``reply`` decides what a reply means; the caller decides what to do about an unknown outcome.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, cast

import httpx
import stamina
from cloudflare import APIConnectionError, APIResponseValidationError, APIStatusError, AsyncCloudflare
from cloudflare.types.d1.database_query_params import MultipleQueriesBatch

from crane_infra.d1 import reply
from crane_infra.d1.database import BoundStatement, Param, Result, Row
from crane_infra.d1.errors import LONGEST_WAIT, NoAnswerError, RateLimitedError
from crane_infra.d1.imports import Importer

T = TypeVar("T")
Raw = tuple[int, dict[str, str], bytes]


class _Answer(Protocol):
    @property
    def http_response(self) -> httpx.Response: ...


class D1:
    """The client of one database (a ``DatabaseClient``). The caller owns the SDK client and closes it."""

    def __init__(self, client: AsyncCloudflare, account_id: str, database_id: str, name: str) -> None:
        self._client = client.with_options(max_retries=0)
        self._account_id, self._database_id = account_id, database_id
        self._hidden = tuple(value for value in (client.api_token, client.api_key, client.user_service_key) if value)
        self._name = name

    @property
    def name(self) -> str:
        """The database's name."""
        return self._name

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT and return its rows.

        Sent up to five times after rate limits, server errors and lost connections. Raises ApiError (RefusedError, NoAnswerError), and
        ValueError for anything but a SELECT: a read may be repeated, so it must not write.
        """
        if sql.split(maxsplit=1)[:1] not in (["SELECT"], ["select"]):
            message = "read() takes one SELECT"
            raise ValueError(message)
        call = self._call("read", params)

        async def once() -> list[Row]:
            results = reply.read_results(call, *await self._query(call, [BoundStatement(sql, params)]))
            return list(results[0].rows)

        return await _again(once)

    async def write(self, statements: Sequence[BoundStatement]) -> list[Result]:
        """Run the statements in order, in one request that is never sent again.

        Raises RefusedError or RateLimitedError (nothing was done), WriteOutcomeUnknown (read before you decide) or PartialWriteError.
        """
        params = [param for _, values in statements for param in values]
        call = self._call("write", params, len(statements))
        return reply.read_results(call, *await self._query(call, statements))

    async def run_file(self, sql: str) -> None:
        """Run one SQL file through D1's import, which blocks the database meanwhile.

        Raises RefusedError (it was rolled back), WriteOutcomeUnknown (read before you decide), or NoAnswerError before anything was run.
        """
        call = self._call("write", ())
        await Importer(_Imports(self._client, call), call).run(sql)

    async def bookmark(self) -> str:
        """Return the Time Travel bookmark of the present state; retried like a read. Raises ApiError."""
        call = self._call("bookmark", ())

        async def once() -> str:
            travel = self._client.d1.database.time_travel.with_raw_response
            sent = travel.get_bookmark(self._database_id, account_id=self._account_id)
            return reply.read_bookmark(call, *await _raw(call, sent))

        return await _again(once)

    def _call(self, kind: reply.Kind, params: Sequence[Param], statements: int = 1) -> reply.Call:
        hidden = (*self._hidden, *(str(param) for param in params if param is not None))
        return reply.Call(kind, self._name, self._account_id, self._database_id, statements, hidden)

    async def _query(self, call: reply.Call, statements: Sequence[BoundStatement]) -> Raw:
        # The SDK declares params as strings; the API also takes numbers and null, and the SDK passes them through.
        batch = [MultipleQueriesBatch(sql=sql, params=cast("list[str]", list(params))) for sql, params in statements]
        query = self._client.d1.database.with_raw_response.query
        return await _raw(call, query(self._database_id, account_id=self._account_id, batch=batch))


@dataclass(frozen=True)
class _Imports:
    """The import endpoint of one database."""

    client: AsyncCloudflare
    call: reply.Call

    async def again(self, body: dict[str, str]) -> reply.Import:
        """Call it, up to five times; for calls whose reply may be lost without harm."""
        call = replace(self.call, kind="read")
        return await _again(lambda: self._send(call, body))

    async def once(self, body: dict[str, str]) -> reply.Import:
        """Call it once."""
        return await self._send(self.call, body)

    async def _send(self, call: reply.Call, body: dict[str, str]) -> reply.Import:
        sent = self.client.d1.database.with_raw_response.import_
        return reply.read_import(call, *await _raw(call, sent(call.database_id, account_id=call.account_id, **body)))  # type: ignore[call-overload]


def backoff(error: Exception) -> bool | float:
    """Tell whether a read is sent again after this error: no, yes after a backoff with jitter, or yes after that many seconds."""
    if isinstance(error, RateLimitedError):
        if error.retry_after is None:
            return True
        return False if error.asks_too_long else error.retry_after
    return isinstance(error, NoAnswerError)


async def _again(once: Callable[[], Awaitable[T]]) -> T:
    retrying = stamina.AsyncRetryingCaller(attempts=5, timeout=2 * LONGEST_WAIT, wait_initial=0.2)
    return await retrying(backoff, once)


async def _raw(call: reply.Call, sent: Awaitable[_Answer]) -> Raw:
    """Return status, headers and body, whatever the status. The cause of an error is not chained: the SDK's errors quote requests and replies."""
    try:
        response = (await sent).http_response
        await response.aread()
    except APIStatusError as error:
        response = error.response
    except (APIConnectionError, APIResponseValidationError) as error:
        cause = type(error.__cause__ or error).__name__
        raise call.unanswered(f"{error.message} ({cause})") from None
    return response.status_code, {key.lower(): value for key, value in response.headers.items()}, response.content
