"""What a migration needs of a database: read, write, and a bookmark to return to.

Holds no behaviour. Keeps migrations free of HTTP, so that nothing in them can send a request past the rules of the client.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Param = str | int | None
Row = dict[str, object]


class Statement(NamedTuple):
    """One SQL statement and the values of its placeholders."""

    sql: str
    params: Sequence[Param] = ()


@dataclass(frozen=True)
class Result:
    """What one statement answered: its rows, and how many rows it changed."""

    rows: tuple[Row, ...]
    changes: int


class Database(Protocol):
    """A D1 database as migrations see it. All methods raise ApiError where Cloudflare does not answer as it should."""

    @property
    def name(self) -> str:
        """The database's name, for errors and logs."""

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT; sent again when it fails for a passing reason."""

    async def write(self, statements: Sequence[Statement]) -> list[Result]:
        """Run the statements in order as one request, sent once and never again."""

    async def run_file(self, sql: str) -> None:
        """Run one SQL file as it is, all of it or nothing, sent once and never again."""

    async def bookmark(self) -> str:
        """Name the present state, so that Time Travel can return to it."""
