"""Compares a database with a file row by row: what differs is named by table, with the number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from crane_infra.counted import counted
from crane_infra.data.copy import read_schema
from crane_infra.data.pages import Page, pages
from crane_infra.data.shapes import SchemaObject, Shape, shapes_of
from crane_infra.data.source import LocalSource, Source


@dataclass(frozen=True)
class Difference:
    """A table whose rows differ, or an object that does."""

    name: str
    what: str

    def __str__(self) -> str:  # noqa: D105
        return f"{self.name} {self.what}"


async def compare(source: Source, db: apsw.Connection) -> list[Difference]:
    """What of a database is not as in a file; nothing where both are equal to the last byte. Raises ApiError."""
    local = LocalSource(db, source.name)
    differing = _objects(await read_schema(local), await read_schema(source))
    if differing:
        return differing
    for shape in (shape for shape in shapes_of(db, source.name) if shape.kind == "rows"):
        if count := await _rows(source, local, shape):
            differing.append(Difference(shape.name, f"has {counted(count, 'row')} missing, or not in the file"))
    return differing


def _objects(expected: Sequence[SchemaObject], live: Sequence[SchemaObject]) -> list[Difference]:
    before, after = ({(each.type, each.name): each.sql for each in schema} for schema in (expected, live))
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [Difference(" ".join(name), "is missing" if name not in after else "is not as in the file") for name in names]


async def _rows(source: Source, local: LocalSource, shape: Shape) -> int:
    """How many rows only one of both has."""
    count, after = 0, ""
    async for expected in pages(local, shape):
        live = await _between(source, shape, after, expected)
        count += len(set(expected.lines) ^ set(live))
        after = expected.last
    return count


async def _between(source: Source, shape: Shape, after: str, expected: Page) -> list[str]:
    """The rows of the source in the place of a page of the file; to the end for the last one."""
    until = "" if expected.is_last else expected.last
    return [line async for page in pages(source, shape, after=after, until=until) for line in page.lines]
