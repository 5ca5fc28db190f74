"""How many rows a copy will read, before it reads them, and what that means for the free plan."""

# ruff: noqa: S608 - names are quoted

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crane_infra.data.shapes import Shape
from crane_infra.data.source import Source
from crane_infra.errors import DataError

FREE_READS = 5_000_000
"""Rows that the free plan lets all databases of an account read in a day."""
_ONE_PERCENT = 0.01
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
        counted = f" ({self.counted:,} more were read to count them)" if self.counted else ""
        return f"reads at most {self.rows:,} rows of {len(self.tables)} tables{counted}: {percent} of what the free plan reads in a day"


async def estimate(source: Source, shapes: Sequence[Shape]) -> Estimate:
    """Ask how many rows each table may have: by its first and last row id, which is one row, or by counting where that says nothing.

    Raises ApiError.
    """
    tables, counted = dict[str, int](), 0
    for shape in shapes:
        if shape.kind != "rows":
            continue
        between = await _between(source, shape)
        if between is None or between > _COUNT_ABOVE:
            (row,) = await source.read(f"SELECT COUNT(*) AS counted FROM {shape.sql}")
            between = int(str(row["counted"]))
            counted += between
        tables[shape.name] = between
    return Estimate(tables, counted)


def require_within(where: str, expected: Estimate, most: int) -> None:
    """Raise DataError where a copy would read more rows than it may."""
    if expected.rows > most:
        what = f"a copy {expected.text}, and at most {most:,} rows may be read"
        raise DataError(where, what, "Raise --rows if that is meant, or leave tables out with --skip")


async def _between(source: Source, shape: Shape) -> int | None:
    """How many row ids there are from the first to the last one; None for a table without row ids."""
    if not shape.has_rowids:
        return None
    key = shape.key[0].sql
    ends = f"(SELECT {key} FROM {shape.sql} ORDER BY {key} {{}} LIMIT 1)"
    (row,) = await source.read(f"SELECT CAST({ends.format('ASC')} AS TEXT) AS first, CAST({ends.format('DESC')} AS TEXT) AS last")
    first, last = row["first"], row["last"]
    return 0 if first is None or last is None else int(str(last)) - int(str(first)) + 1
