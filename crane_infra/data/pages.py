"""Reads the rows of one table page by page, in the order of its key, as lines.

A page is as long as its rows allow: about 1.5 MB of an answer, and shorter where the API fails. Long values are read in parts of their own.
A page that ends early is only the last one if a counted read says so.
"""

# ruff: noqa: S608 - names are quoted, values bound or written by ``lines``

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from crane_infra.d1.database import BoundStatement, Param
from crane_infra.d1.errors import OUTAGE, DeniedError, NoAnswerError, NotFoundError, RateLimitedError, RefusedError
from crane_infra.data.lines import (
    BAR,
    LARGEST_CAP,
    LONG,
    LONGEST_KEY,
    PART,
    LongValue,
    bound,
    line_sql,
    long_values,
    settled,
    values_in,
    with_value,
)
from crane_infra.data.shapes import KeyColumn, Shape
from crane_infra.data.source import Source
from crane_infra.errors import DataError
from crane_infra.migrations.files.split import LONGEST_STATEMENT

MOST_ROWS = 5_000
_FIRST_ROWS = 500
_BYTES = 1_500_000
_MOST_BYTES = 6_000_000
_PARTS_AT_ONCE = 40
_SMALLEST = 50
_SMALLEST_CAP = 1_000
_ROOM_FOR_KEYS = LONGEST_STATEMENT - 15_000
"""Bytes that the keys at both ends of a page may have in its SELECT; the rest is for the columns."""
_SHORTER = "Give the table a shorter key, or shorten the values of that key"


@dataclass(frozen=True)
class Page:
    """The rows after a key. ``last`` is the key of the last one; keys are lines, empty for the start. ``is_last``: no row follows."""

    lines: tuple[str, ...]
    after: str
    last: str
    is_last: bool


@dataclass(frozen=True)
class _Part:
    """A part of a long value of one line, and the SELECT for it."""

    line: int
    value: LongValue
    size: int
    statement: BoundStatement


@dataclass
class PageSize:
    """How many rows a page has, and up to how many bytes a value stands in a line. It follows what was read."""

    rows: int = field(default_factory=lambda: min(_FIRST_ROWS, MOST_ROWS))
    cap: int = LARGEST_CAP

    def learn(self, lines: Sequence[str]) -> None:
        """Take the next page as long as these lines allow."""
        if lines:
            size = max(1, sum(map(len, lines)) // len(lines))
            self.rows = max(1, min(MOST_ROWS, self.rows * 4, _BYTES // size))
            self.cap = max(_SMALLEST_CAP, min(LARGEST_CAP, 4 * size))

    def shrink(self) -> bool:
        """Take shorter pages after a failure; False where they are short already."""
        if self.rows <= _SMALLEST:
            return False
        self.rows //= 10
        return True


async def pages(source: Source, shape: Shape, *, after: str = "", until: str = "", size: PageSize | None = None) -> AsyncIterator[Page]:
    """Read the rows whose key comes after one key, up to another; keys are lines, empty for the first and the last row.

    Raises ApiError, and DataError for a key that is too long to page by.
    """
    size = size or PageSize()
    while True:
        short = await _lines(source, shape, after, until, size)
        lines = await _completed(source, shape, _first_of(short))
        last = _key_of(source, shape, lines[-1]) if lines else after
        is_last = len(lines) == len(short) < size.rows and not await _has_more(source, shape, last, until)
        if not (lines or is_last):
            raise DataError(f"database {source.name}, table {shape.name}", "an answer has no rows, and rows are there", OUTAGE)
        yield Page(tuple(lines), after, last, is_last)
        if is_last:
            return
        size.learn(lines)
        after = last


def condition(key: Sequence[KeyColumn], after: str, until: str) -> tuple[str, list[float]]:
    """The SQL of "after one key, up to another", with a WHERE, and its parameters; empty without both."""
    parts, params = list[str](), list[float]()
    for line, operators in ((after, (">", "<")), (until, ("<=", ">="))):
        if line:
            text, values = _compared(key, line, operators)
            parts.append(text)
            params += values
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), params


def _compared(key: Sequence[KeyColumn], line: str, operators: tuple[str, str]) -> tuple[str, list[float]]:
    texts, params = bound(values_in(line))
    downs = {column.descending for column in key}
    if len(downs) == 1:
        operator = operators[downs.pop()]
        if len(key) == 1:
            return f"{key[0].sql} {operator} {texts[0]}", params
        return f"({', '.join(column.sql for column in key)}) {operator} ({', '.join(texts)})", params
    return _mixed(key, line, operators)


def _mixed(key: Sequence[KeyColumn], line: str, operators: tuple[str, str]) -> tuple[str, list[float]]:
    """The comparison of a key whose columns run in different directions: column by column."""
    values = values_in(line)
    alternatives, params = list[str](), list[float]()
    for index, column in enumerate(key):
        texts, numbers = bound(values[: index + 1])
        is_end = index == len(key) - 1
        operator = operators[column.descending] if is_end else operators[column.descending][0]
        equals = [f"{earlier.sql} = {text}" for earlier, text in zip(key[:index], texts, strict=False)]
        alternatives.append(f"({' AND '.join([*equals, f'{column.sql} {operator} {texts[-1]}'])})")
        params += numbers
    return f"({' OR '.join(alternatives)})", params


async def _lines(source: Source, shape: Shape, after: str, until: str, size: PageSize) -> list[str]:
    while True:
        statement = _page(shape, after, until, size)
        try:
            ((*rows,),) = await source.select([statement])
            break
        except (DeniedError, NotFoundError, RateLimitedError):
            raise
        except (NoAnswerError, RefusedError):
            if not size.shrink():
                raise
    return [settled(str(row["line"])) for row in rows]


def _first_of(lines: list[str]) -> list[str]:
    """The first lines, as many as fit into memory with their long values."""
    size = 0
    for number, line in enumerate(lines):
        size += len(line) + sum(2 * value.size for value in long_values(line))
        if number and size > _MOST_BYTES:
            return lines[:number]
    return lines


def _page(shape: Shape, after: str, until: str, size: PageSize) -> BoundStatement:
    keys = {column.cell for column in shape.key}
    line = line_sql((cell, LONGEST_KEY if number in keys else size.cap) for number, cell in enumerate(shape.cells))
    where, params = condition(shape.key, after, until)
    # With its table, since a column may be called as the line is, and SQLite would sort by that.
    order = ", ".join(f"{shape.sql}.{column.sql}{' DESC' if column.descending else ''}" for column in shape.key)
    return BoundStatement(f"SELECT {line} AS line FROM {shape.sql}{where} ORDER BY {order} LIMIT {size.rows}", params)


async def _has_more(source: Source, shape: Shape, last: str, until: str) -> bool:
    where, params = condition(shape.key, last, until)
    return bool(await source.read(f"SELECT 1 AS more FROM {shape.sql}{where} LIMIT 1", params))


def _key_of(source: Source, shape: Shape, line: str) -> str:
    cells = line.split(BAR)
    key = [cells[column.cell] for column in shape.key]
    if any(cell.startswith(LONG) for cell in key):
        what = f"the key of a row is longer than {LONGEST_KEY:,} bytes"
        raise DataError(f"database {source.name}, table {shape.name}", what, _SHORTER)
    joined = BAR.join(key)
    if len(condition(shape.key, joined, joined)[0].encode()) > _ROOM_FOR_KEYS:
        what = f"the key of a row is too long to page by: D1 takes {LONGEST_STATEMENT:,} bytes in a statement"
        raise DataError(f"database {source.name}, table {shape.name}", what, _SHORTER)
    return joined


async def _completed(source: Source, shape: Shape, lines: Sequence[str]) -> list[str]:
    """The lines with the values that they leave out. A row that is gone by now is for whoever compares the table again."""
    parts = [part for number, line in enumerate(lines) for long in long_values(line) for part in _parts(source, shape, number, line, long)]
    hexadecimal = defaultdict[tuple[int, LongValue], str](str)
    for group in _groups(parts):
        answers = await source.select([part.statement for part in group])
        for part, rows in zip(group, answers, strict=True):
            hexadecimal[part.line, part.value] += "".join(str(row["part"]) for row in rows)
    complete = list(lines)
    for (number, value), text in hexadecimal.items():
        complete[number] = with_value(complete[number], value, text)
    return complete


def _parts(source: Source, shape: Shape, number: int, line: str, value: LongValue) -> list[_Part]:
    equal, params = _equal(shape.key, _key_of(source, shape, line))
    octets = f"CAST({shape.cells[value.cell]} AS BLOB)"
    return [
        _Part(
            number,
            value,
            min(PART, value.size - start),
            BoundStatement(f"SELECT hex(substr({octets}, {start + 1}, {PART})) AS part FROM {shape.sql} WHERE {equal}", params),
        )
        for start in range(0, value.size, PART)
    ]


def _groups(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """The parts that one request asks for."""
    group, size = list[_Part](), 0
    for part in parts:
        if group and (size + part.size > _BYTES or len(group) == _PARTS_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(part)
        size += part.size
    if group:
        yield group


def _equal(key: Sequence[KeyColumn], line: str) -> tuple[str, list[Param]]:
    texts, params = bound(values_in(line))
    return " AND ".join(f"{column.sql} = {text}" for column, text in zip(key, texts, strict=True)), list(params)
