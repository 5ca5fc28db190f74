"""Reads a database for as long as it takes: waits out rate limits, and stops at the number of rows that may be read."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from crane_infra.counted import counted
from crane_infra.d1.database import BoundStatement, Param, Row
from crane_infra.d1.errors import RateLimitedError
from crane_infra.data.source import Source
from crane_infra.errors import DataError

T = TypeVar("T")
_UNKNOWN_WAIT = 30.0


class Patient:
    """A source that waits up to ``longest`` seconds in all where Cloudflare limits the calls, and gives no more rows than ``most``."""

    def __init__(
        self, source: Source, most: int, longest: float, say: Callable[[str], None], pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self._source, self._most, self._left, self._say, self._pause = source, most, longest, say, pause
        self._rows = 0

    @property
    def name(self) -> str:
        """The database's name."""
        return self._source.name

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT whose rows are counted."""
        return await self._patiently(lambda: self._source.read(sql, params))

    async def select(self, statements: Sequence[BoundStatement]) -> list[list[Row]]:
        """Run SELECTs in one request. Raises DataError once more rows were read than may be."""
        answers = await self._patiently(lambda: self._source.select(statements))
        self._rows += sum(map(len, answers))
        if self._rows > self._most:
            what = f"it has more than the {counted(self._most, 'row')} that may be read"
            raise DataError(f"database {self.name}", what, "Raise --rows if that is meant")
        return answers

    async def bookmark(self) -> str:
        """The bookmark of the present state."""
        return await self._patiently(self._source.bookmark)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except RateLimitedError as error:
                seconds = error.retry_after or _UNKNOWN_WAIT
                if seconds > self._left:
                    raise
                self._left -= seconds
                self._say(f"{self.name}: Cloudflare limits the calls of this token; goes on in {seconds:.0f} s")
                await self._pause(seconds)
