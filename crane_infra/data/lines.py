"""One row as one line of text that loses nothing: exact integers and reals, texts and blobs byte by byte. Pure.

D1 answers in JSON, where integers over 2^53 lose digits, a text may not hold lone surrogates, and a blob is a list of numbers. So D1 itself
writes each row as a line: its cells between bars, each with a letter for its type. Lines of equal rows are equal, so they can be compared and
hashed as they are. A value over ``cap`` bytes comes as its length only and is read in parts.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

BAR = "|"
NULL = "n"
"""Not empty: concat_ws of older SQLites leaves empty texts out."""
LONG = "L"
"""Begins a cell that only says how long its value is: ``Lt70000`` for a text, ``Lb70000`` for a blob."""
PART = 400_000
"""Bytes of a long value in one part: as hex well below the 2 MB that D1 takes for one text."""
LARGEST_CAP = 8_000
"""Bytes up to which a value may stand in a line: a hundred of them in hex are still below 2 MB."""
LONGEST_KEY = 20_000
"""Bytes of a value in a key, which stands in the SQL of the next page."""


class RawText(bytes):
    """A text that is not valid UTF-8, as its bytes; SQLite keeps such texts."""

    __slots__ = ()


Value = int | float | str | bytes | RawText | None


class LongValue(NamedTuple):
    """A value that a line leaves out: the number of its cell, the letter of its type, and its length in bytes."""

    cell: int
    kind: str
    size: int


def cell_sql(expression: str, cap: int) -> str:
    """The SQL of one cell. Digits of a real are those of this SQLite: ``settled`` makes them the same everywhere."""
    e = expression
    real = f"CASE WHEN {e}=0 AND atan2({e},-1)<0 THEN 'r-0.0' ELSE 'r'||quote({e}) END"
    long = f"WHEN octet_length({e})>{cap} THEN '{LONG}'||substr(typeof({e}),1,1)||octet_length({e})"
    return (
        f"CASE typeof({e}) WHEN 'integer' THEN 'i'||{e} WHEN 'null' THEN '{NULL}' WHEN 'real' THEN {real} "
        f"ELSE CASE {long} ELSE substr(typeof({e}),1,1)||hex({e}) END END"
    )


def line_sql(cells: Iterable[tuple[str, int]]) -> str:
    """The SQL of one line, from the SQL of each value and its cap."""
    return f"concat_ws('{BAR}',{','.join(cell_sql(expression, cap) for expression, cap in cells)})"


def settled(line: str) -> str:
    """The line with the shortest digits for each real, which are the same whatever SQLite wrote the line."""
    if "r" not in line:
        return line
    return BAR.join(f"r{float(cell[1:])!r}" if cell[:1] == "r" else cell for cell in line.split(BAR))


def long_values(line: str) -> list[LongValue]:
    """The values that the line leaves out."""
    if LONG not in line:
        return []
    cells = enumerate(line.split(BAR))
    return [LongValue(number, cell[1], int(cell[2:])) for number, cell in cells if cell[:1] == LONG]


def with_value(line: str, long: LongValue, hexadecimal: str) -> str:
    """The line with a value that it left out."""
    cells = line.split(BAR)
    cells[long.cell] = long.kind + hexadecimal
    return BAR.join(cells)


def values_in(line: str) -> list[Value]:
    """The values of a row; raises ValueError for a line that is none, or that leaves a value out."""
    return [_value(cell) for cell in line.split(BAR)]


def _value(cell: str) -> Value:
    kind, content = cell[:1], cell[1:]
    if kind == "i":
        return int(content)
    if kind == "t":
        octets = bytes.fromhex(content)
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return RawText(octets)
    if kind == NULL:
        return None
    if kind == "r":
        return float(content)
    if kind == "b":
        return bytes.fromhex(content)
    message = "a cell of an unknown kind"
    raise ValueError(message)


def literal(value: Value) -> str:
    """The value as SQL without an affinity, so that a comparison takes it as it is. Reals are exact to the last bit only in ``bound``."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes) and not isinstance(value, RawText):
        return f"X'{value.hex()}'"
    if isinstance(value, str | bytes):
        octets = value if isinstance(value, bytes) else value.encode()
        return f"(CAST(X'{octets.hex()}' AS TEXT)||'')"
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return "9e999" if value > 0 else "-9e999"
    return repr(value)


def bound(values: Sequence[Value]) -> tuple[list[str], list[float]]:
    """The values as SQL and the parameters in it: finite reals are bound, since SQLite may read the digits of one as its neighbour."""
    finite = [isinstance(value, float) and value not in {float("inf"), float("-inf")} for value in values]
    texts = ["?" if is_bound else literal(value) for value, is_bound in zip(values, finite, strict=True)]
    return texts, [value for value, is_bound in zip(values, finite, strict=True) if is_bound and isinstance(value, float)]
