"""What migrations need from the client of a database: read, write, and a bookmark to return to.

Types only. Migrations know these and no HTTP, so every request goes through the client and its rules.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

Param = str | int | float | None
Row = dict[str, object]


class BoundStatement(NamedTuple):
    """One SQL statement with the values of its placeholders."""

    sql: str
    params: Sequence[Param] = ()


class Result(NamedTuple):
    """The result of one statement: its rows, and the number of rows it changed."""

    rows: tuple[Row, ...]
    changes: int


class DatabaseClient(Protocol):
    """A client of one D1 database, as migrations see it. All methods raise ApiError where a call fails."""

    @property
    def name(self) -> str:
        """The database's name, for errors and logs."""

    async def read(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Run one SELECT; sent again after a temporary failure."""

    async def write(self, statements: Sequence[BoundStatement]) -> list[Result]:
        """Run the statements in order as one request, sent once and never again."""

    async def write_and_read(self, statements: Sequence[BoundStatement], select: str) -> list[Row] | None:
        """Run the statements as ``write`` does, then one SELECT in the same request; its rows, None where the reply does not have them all."""

    async def run_file(self, sql: str) -> None:
        """Run one SQL file unchanged, as one transaction, sent once and never again."""

    async def bookmark(self) -> str:
        """Return the Time Travel bookmark of the present state."""


class ImportingClient(DatabaseClient, Protocol):
    """A client that also takes files which are larger than memory."""

    async def import_file(self, file: Path) -> None:
        """Run a file of SQL unchanged, as one transaction, sent once and never again."""
