"""The names of migrations: their order, which is wrangler's, the numbers in them, and how messages list them (pure).

Wrangler (4.98, ``compareMigrationPaths``) compares the parts of a path one by one: first by the integer that a part begins with, where parts
without one come last, then by the text. So ``9_a.sql`` comes before ``10_a.sql``, and ``2024-01-13-a.sql`` before ``2024-02-01-a.sql``.
"""

import re
from collections.abc import Sequence
from functools import cache

MANY = 10
"""Messages sum up more names than these."""
Order = tuple[tuple[bool, int, bytes], ...]
"""What sorts names as wrangler does: for each part of the path whether it has no number, its number, its text."""
BEFORE_ALL: Order = ()
_NUMBER = re.compile(r"\s*([+-]?[0-9]+)")
_SERIAL = re.compile(r"([0-9]+)(?=[_. -]|\Z)(?![_.-][0-9]{1,2}[_.-][0-9]{1,2}(?:[^0-9]|\Z))")


def number_of(name: str) -> int | None:
    """The integer that a migration's name begins with; None where there is none."""
    match = _NUMBER.match(name)
    return int(match[1]) if match else None


def serial_of(name: str) -> int | None:
    """The number that only one migration of a folder should have; None for a date (``2024-01-13-a.sql``) and where there is none."""
    match = _SERIAL.match(name)
    return int(match[1]) if match else None


def listed(names: Sequence[str]) -> str:
    """The names; where there are many, their number, the first and the last."""
    return ", ".join(names) if len(names) <= MANY else f"{len(names)} files, {names[0]} to {names[-1]}"


@cache
def order_of(name: str) -> Order:
    """The place of a migration, called ``name`` in the ledger, among the others."""
    return tuple(map(_order, name.split("/")))


def order_at(number: int, name: str) -> Order:
    """The place of a base schema, which stands after the migrations up to ``number``."""
    return ((False, number, _text(name)),)


def _order(part: str) -> tuple[bool, int, bytes]:
    number = number_of(part)
    return number is None, number or 0, _text(part)


def _text(part: str) -> bytes:
    # JavaScript compares UTF-16 code units, Python code points.
    return part.encode("utf-16-be", "surrogatepass")
