"""How many rows a copy will read, before it reads them, and what that means for the free plan."""

# ruff: noqa: S608 - names are quoted

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crane_infra.counted import counted
from crane_infra.d1.database import BoundStatement
from crane_infra.data.shapes import Shape
from crane_infra.data.source import Source
from crane_infra.errors import DataError

FREE_READS = 5_000_000
"""Rows that the free plan lets all databases of an account read in a day."""
_ONE_PERCENT = 0.01
_TABLES_AT_ONCE = 50
_COUNT_ABOVE = 1_000_000
"""From the first to the last row id: a table whose ids are further apart is counted, since they say little about its rows."""


@dataclass(frozen=True)
class Estimate:
    """The most rows that each table has; ``counted`` is how many rows were read to know that."""

    tables: Mapping[str, int]
    counted: int = 0

    @property
    def rows(self) -> int:
        """The most rows of all tables."""
        return sum(self.tables.values())

    @property
    def text(self) -> str:
        """One sentence for a person."""
        share = (self.rows + self.counted) / FREE_READS
        percent = "less than 1%" if share < _ONE_PERCENT else f"{share:.0%}"
        more = f" ({self.counted:,} more were read to count them)" if self.counted else ""
        return f"reads at most {counted(self.rows, 'row')} of {counted(len(self.tables), 'table')}{more}: {percent} of what the free plan reads in a day"


async def estimate(source: Source, shapes: Sequence[Shape]) -> Estimate:
    """Ask how many rows each table may have: by its first and last row id, which is one row, or by counting where that says nothing.

    Raises ApiError.
    """
    read = [shape for shape in shapes if shape.kind == "rows"]
    tables = await _between(source, [shape for shape in read if shape.has_rowids])
    unclear = [shape for shape in read if tables.get(shape.name, _COUNT_ABOVE + 1) > _COUNT_ABOVE]
    for shape in unclear:
        (row,) = await source.read(f"SELECT COUNT(*) AS counted FROM {shape.sql}")
        tables[shape.name] = int(str(row["counted"]))
    return Estimate({shape.name: tables[shape.name] for shape in read}, sum(tables[shape.name] for shape in unclear))


def require_within(where: str, expected: Estimate, most: int) -> None:
    """Raise DataError where a copy would read more rows than it may."""
    if expected.rows > most:
        what = f"a copy {expected.text}, and at most {counted(most, 'row')} may be read"
        raise DataError(where, what, "Raise --rows if that is meant, or leave tables out with --skip")


async def _between(source: Source, shapes: Sequence[Shape]) -> dict[str, int]:
    """How many row ids there are from the first to the last one of each table."""
    between = dict[str, int]()
    for at in range(0, len(shapes), _TABLES_AT_ONCE):
        group = shapes[at : at + _TABLES_AT_ONCE]
        for shape, rows in zip(group, await source.select([BoundStatement(_ends(shape)) for shape in group]), strict=True):
            first, last = (rows[0]["first"], rows[0]["last"]) if rows else (0, _COUNT_ABOVE)
            between[shape.name] = 0 if first is None or last is None else int(str(last)) - int(str(first)) + 1
    return between


def _ends(shape: Shape) -> str:
    key = shape.key[0].sql
    first, last = (f"CAST((SELECT {key} FROM {shape.sql} ORDER BY {key} {order} LIMIT 1) AS TEXT)" for order in ("ASC", "DESC"))
    return f"SELECT {first} AS first, {last} AS last"
