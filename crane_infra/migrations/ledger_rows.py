"""The rows that a database answers with, each read as what it should be. A row of another kind makes the whole answer unreadable.

A row that was left out for want of a column would look like a migration that was never applied.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from crane_infra.d1.database import DatabaseClient
from crane_infra.d1.errors import OUTAGE, NoAnswerError
from crane_infra.frozen import first_fault

T = TypeVar("T")
OBJECTS = "sqlite_master"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True, defer_build=True)


class ObjectRow(_Row):
    """A table, index, view or trigger. ``sql`` is None for what SQLite made itself."""

    source: Literal["sqlite_master"] = "sqlite_master"
    type: str
    name: str
    sql: str | None


class ListedRow(_Row):
    """A row of wrangler's table, which allows one without a name."""

    source: Literal["d1_migrations"]
    name: str | None


class RecordedRow(_Row):
    """A row of our table."""

    source: Literal["crane_migrations"]
    name: str
    sha256: str
    origin: str
    token: str
    release: str
    bookmark: str | None
    started_at: str
    done_at: str | None


class EditRow(_Row):
    """An accepted edit of an applied file: its digest before and after."""

    source: Literal["crane_edits"]
    name: str
    sha256: str
    token: str
    done_at: str


class RefreshRow(_Row):
    """A refresh of staging's rows. ``bookmark`` is when it had replaced them; ``done_at`` None: it is not complete."""

    source: Literal["crane_refreshes"]
    started_at: str
    bookmark: str | None
    done_at: str | None


class AcceptedRow(_Row):
    """A difference that somebody accepted: the object by kind and name, its SQL (None: it is gone) and the last migration before it, as ``token``."""

    source: Literal["crane_accepted"]
    name: str
    sql: str | None
    token: str | None


Row = ObjectRow | ListedRow | RecordedRow | EditRow | AcceptedRow | RefreshRow
LEDGER_ROWS: TypeAdapter[list[Row]] = TypeAdapter(list[Annotated[Row, Field(discriminator="source")]])
OBJECT_ROWS: TypeAdapter[list[ObjectRow]] = TypeAdapter(list[ObjectRow])


async def read_rows(db: DatabaseClient, select: str, shape: TypeAdapter[list[T]]) -> list[T]:
    """Run one SELECT and read each row as ``shape``. Raises ApiError, also where a row is something else."""
    return rows_as(await db.read(select), shape, db.name)


def rows_as(rows: Sequence[Mapping[str, object]], shape: TypeAdapter[list[T]], database: str) -> list[T]:
    """Read each row of the database called ``database`` as ``shape``. Raises NoAnswerError where one is something else."""
    try:
        return shape.validate_python(rows)
    except ValidationError as error:
        path, what = first_fault(error)
        raise NoAnswerError(
            f"D1 database {database}", f"Cloudflare's API failed: its answer cannot be read (rows.{path}: {what})", OUTAGE
        ) from None
