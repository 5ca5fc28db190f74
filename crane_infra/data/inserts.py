"""The INSERTs that write rows through D1, as exact as they are: long values in parts, and no statement larger than D1 takes (pure)."""

# ruff: noqa: S608 - names are quoted, values are literals

from collections.abc import Iterable, Iterator, Sequence

from crane_infra.data.lines import RawText, Value, literal
from crane_infra.data.shapes import Shape
from crane_infra.errors import DataError
from crane_infra.migrations.files.split import LONGEST_STATEMENT, sql_literal

_ROOM = LONGEST_STATEMENT - 10_000
_PART = 30_000
"""Bytes of a long value in one statement, beside a key that is short."""
_SMALLEST_PART = 1_000
_ENOUGH = 1 << 40
_STEPS = 15_000
"""Steps of SQLite's virtual machine that the VALUES of one statement may have, of the 25,000 that D1 takes."""


def inserts(shape: Shape, values: Iterable[Sequence[Value]]) -> Iterator[str]:
    """INSERTs of as many rows as one statement takes; a row with long values comes in several statements.

    Raises DataError for a row whose key alone fills a statement.
    """
    head = f"INSERT INTO {shape.sql} ({', '.join(shape.cells)}) VALUES "
    most, texts, size = max(1, _STEPS // (len(shape.cells) + 4)), list[str](), 0
    for row in values:
        text, part, room = _row(row), _PART, _ENOUGH
        if (length := len(text.encode()) + 1) > _ROOM:
            part = _part_beside_key(shape, row)
            room = part // len(row)
            keys = {column.cell for column in shape.key}
            text = _row([value if number in keys else _first_part(value, room) for number, value in enumerate(row)])
            length = len(text.encode()) + 1
        if texts and (size + length > _ROOM or len(texts) == most):
            yield head + ",".join(texts)
            texts, size = [], 0
        texts.append(text)
        size += length
        if rest := list(_rest(shape, row, room, part)):
            yield head + ",".join(texts)
            yield from rest
            texts, size = [], 0
    if texts:
        yield head + ",".join(texts)


def _row(row: Sequence[Value]) -> str:
    return f"({','.join(map(_literal, row))})"


def _octets(value: Value) -> bytes | None:
    """The bytes of a text or blob."""
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None


def _first_part(value: Value, room: int) -> Value:
    octets = _octets(value)
    if octets is None or len(octets) <= room:
        return value
    return RawText(octets[:room]) if isinstance(value, str | RawText) else octets[:room]


def _where(shape: Shape, row: Sequence[Value]) -> str:
    return " AND ".join(f"{column.sql} = {_literal(row[column.cell])}" for column in shape.key)


def _part_beside_key(shape: Shape, row: Sequence[Value]) -> int:
    """How many bytes of long values fit a statement that has the key of this row too, in hexadecimal. Raises DataError where there is no room."""
    part = min(_PART, (_ROOM - len(_where(shape, row).encode())) // 2)
    if part < _SMALLEST_PART:
        what = f"the key of a row leaves no room in a statement, of which D1 takes {LONGEST_STATEMENT:,} bytes"
        raise DataError(f"table {shape.name}", what, "Give the table a shorter key, or shorten the values of that key")
    return part


def _rest(shape: Shape, row: Sequence[Value], room: int, size: int) -> Iterator[str]:
    """The statements that add to the long values of a row what did not fit its INSERT, so many bytes each."""
    keys = {column.cell for column in shape.key}
    where = _where(shape, row)
    for number, (name, value) in enumerate(zip(shape.cells, row, strict=True)):
        octets, is_text = _octets(value), isinstance(value, str | RawText)
        for at in range(room, len(octets), size) if octets and number not in keys else ():
            part = (octets or b"")[at : at + size]
            added = f"{name} || {literal(RawText(part)) if is_text else literal(part)}"
            yield f"UPDATE {shape.sql} SET {name} = {added if is_text else f'CAST({added} AS BLOB)'} WHERE {where}"


def _literal(value: Value) -> str:
    if isinstance(value, str) and value.isprintable():
        return sql_literal(value)
    return literal(value)
