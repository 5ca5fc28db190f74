"""Looks whether a value of a masked column of the source is anywhere in the scrubbed copy: as a value, or as words within a text.

Short values are not looked for: they occur everywhere and name nobody. What is found is named by table and column, never shown. So many values are
looked for at a time that memory stays flat; the copy is read once for each such number.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import apsw

from crane_infra.config.data_rules import Constant, Json
from crane_infra.data.scrub.json_paths import JsonMasker
from crane_infra.data.scrub.rules import ColumnPlan, TablePlan
from crane_infra.errors import ScrubError, refuse
from crane_infra.migrations.files.tokens import quoted

SHORTEST = 6
"""Characters of a value that is looked for."""
AT_ONCE = 200_000
"""Values that are looked for in one reading of the copy."""
_LONGEST = 64
"""Of a longer value its beginning is looked for."""
_WORD = re.compile(r"\w+")
_MOST_FOUND = 20


class Values:
    """Texts to look for in other texts: indexed by their first word and its length, so that a text is gone through once."""

    def __init__(self) -> None:
        self._by_word: dict[str, set[int]] = {}
        self._origins: dict[str, str] = {}

    def add(self, value: str, origin: str) -> None:
        """Look for a value, which comes from this column."""
        first = _WORD.search(value)
        if first is None:
            return
        probe = value[first.start() :].rstrip()[:_LONGEST]
        if len(probe) >= SHORTEST and probe not in self._origins:
            self._origins[probe] = origin
            self._by_word.setdefault(first.group(), set()).add(len(probe))

    def __len__(self) -> int:
        """How many values are looked for."""
        return len(self._origins)

    def found_in(self, text: str) -> str | None:
        """The column that a value in this text comes from; None where there is no such value."""
        for word in _WORD.finditer(text):
            for length in self._by_word.get(word.group(), ()):
                end = word.start() + length
                origin = self._origins.get(text[word.start() : end])
                if origin and (length == _LONGEST or _ends_at(text, end)):
                    return origin
        return None


def require_nothing_left(source: Path, result: Path, database: str, plans: Sequence[TablePlan], secret: bytes) -> None:
    """Raise ScrubError for each column of the result with a value of a masked column of the source."""
    found: Counter[tuple[str, str]] = Counter()
    with closing(_opened(source)) as masked, closing(_opened(result)) as db:
        for values in _masked_values(masked, plans, secret):
            found |= _places(db, plans, values)  # the larger count of each: a text may hold values of two readings
    refuse([_left(database, *pair, count) for pair, count in found.most_common(_MOST_FOUND)])


def _masked_values(db: apsw.Connection, plans: Sequence[TablePlan], secret: bytes) -> Iterator[Values]:
    """The values of all masked columns, as many at a time as one reading looks for."""
    values = Values()
    for plan in plans:
        for column in plan.masked:
            origin = f"{plan.table.name}.{column.column.name}"
            for text in _hidden(db, plan.table.name, column, secret):
                values.add(text, origin)
                if len(values) >= AT_ONCE:
                    yield values
                    values = Values()
    yield values


def _places(db: apsw.Connection, plans: Sequence[TablePlan], values: Values) -> Counter[tuple[str, str]]:
    """In how many values of each column there is one of ``values``, by the column that it comes from."""
    found: Counter[tuple[str, str]] = Counter()
    for plan in plans:
        for each in plan.table.columns:
            place = f"{plan.table.name}.{each.name}"
            origins = map(values.found_in, _texts(db, plan.table.name, each.name))
            found.update((place, origin) for origin in origins if origin)
    return found


def _hidden(db: apsw.Connection, table: str, plan: ColumnPlan, secret: bytes) -> Iterator[str]:
    """The texts of a masked column that must not be in the result."""
    texts = _texts(db, table, plan.column.name)
    if isinstance(plan.rule, Json):
        masker = JsonMasker(plan.rule, secret)
        return (leaf for text in texts for leaf in masker.hidden(text.encode("utf-8", "surrogateescape")))
    if isinstance(plan.rule, Constant):
        constant = str(plan.rule.value)
        return (text for text in texts if text != constant)
    return texts


def _texts(db: apsw.Connection, table: str, column: str) -> Iterator[str]:
    """The different values of a column as texts: texts, what is in blobs, and numbers of many digits."""
    name = quoted(column)
    for (value,) in db.execute(f"SELECT DISTINCT CAST({name} AS BLOB) FROM {quoted(table)} WHERE {name} IS NOT NULL"):  # noqa: S608
        yield value.decode("utf-8", "surrogateescape")


def _ends_at(text: str, end: int) -> bool:
    return end >= len(text) or _WORD.match(text[end]) is None or _WORD.match(text[end - 1]) is None


def _left(database: str, place: str, origin: str, count: int) -> ScrubError:
    values = "1 of its values contains" if count == 1 else f"{count} of its values contain"
    what = f"in the scrubbed copy {values} a value of {origin}, which is masked"
    return ScrubError(f"database {database}, column {place}", what, "Mask this column as well, or let it follow the same kind")


def _opened(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
