"""Decides whether a new CHECK or NOT NULL can refuse a row that the old table accepted.

SQLite decides: a table with the old constraints gets a row of each kind that they can tell apart, and what it accepts is copied into a
table with the new constraint.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import ceil, floor

import apsw

from crane_infra.migrations.files.tokens import code, quoted, unquoted
from crane_infra.migrations.sqlite.checks import Check
from crane_infra.migrations.sqlite.comparisons import Comparisons, comparisons_in
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database
from crane_infra.migrations.sqlite.tables import Column, Table

Value = str | int | float | bytes | None
_MOST_ROWS = 5_000
_LARGEST = 2**52
"""Above it a number between two others may not exist as SQLite stores it."""
_COLLATIONS = {"BINARY", "NOCASE"}
_OWN = quoted("a column of its own")


def tightening_checks(old: Table, new: Table) -> list[Check]:
    """The CHECKs of a rebuilt table that may refuse a row which the old table accepted, or one that the version in traffic adds."""
    return [check for check in sorted(new.checks - old.checks, key=lambda check: check.form) if not _follows(check.sql, old, new)]


def is_never_null(column: str, old: Table, new: Table) -> bool:
    """Whether the CHECKs of the old table already refuse NULL in a column, so that NOT NULL refuses nothing more."""
    return _follows(f"{quoted(column)} IS NOT NULL", old, new)


def _follows(condition: str, old: Table, new: Table) -> bool:
    """Whether each row that the old table accepts meets a condition; False also where that cannot be decided.

    A column that only the new table has holds its default, since the version in traffic does not write it. Otherwise the condition must
    compare columns (or calls of some functions) with literals: which rows meet it then depends only on where their values are among these
    literals, so one row for each such place decides it. Not decided, and so taken for a tightening, are comparisons of two columns,
    arithmetic, LIKE, CASE, and columns whose type, collation or way to be generated changes.
    """
    names = {unquoted(token.text).lower() for token in code(condition) if token.kind in {"word", "name"}} & new.columns.keys()
    added = names - old.columns.keys()
    if any(new.columns[name].generated for name in added):
        return False
    if names and names == added:
        return _accepts([()], {}, [], condition, {name: _default(new, name) for name in added})
    known = [comparisons for check in old.checks if (comparisons := comparisons_in(check.sql, old.columns))]
    wanted = comparisons_in(condition, new.columns)
    if wanted is None or not _are_comparable(wanted.columns - added, old, new) or wanted.inside_calls & added:
        return False
    return _decide(wanted, known, old, {name: _default(new, name) for name in added})


def _decide(wanted: Comparisons, known: Sequence[Comparisons], old: Table, added: Mapping[str, str]) -> bool:
    """Whether rows that meet what is ``known`` meet what is ``wanted``; ``added`` defines the columns that only the new table has."""
    shared = wanted.values - added.keys()
    related = [comparisons for comparisons in known if comparisons.values & shared and _are_plain(comparisons.columns, old)]
    for usable in (related, [comparisons for comparisons in related if comparisons.values <= shared]):
        values = sorted(shared.union(*(comparisons.values for comparisons in usable)))
        kinds = _kinds(wanted.literals.union(*(comparisons.literals for comparisons in usable)))
        if kinds is not None and len(kinds) ** len(values) <= _MOST_ROWS:
            never_null = [f"{quoted(name)} IS NOT NULL" for name in values if name in old.columns and old.columns[name].not_null]
            conditions = [*never_null, *(comparisons.sql for comparisons in usable)]
            columns = {name: _definition(name, old.columns.get(name), strict=old.strict) for name in values}
            return _accepts(product(kinds, repeat=len(values)), columns, conditions, wanted.sql, added, strict=old.strict)
    return False


def _accepts(
    rows: Iterable[Sequence[Value]],
    columns: Mapping[str, str],
    known: Sequence[str],
    wanted: str,
    added: Mapping[str, str],
    *,
    strict: bool = False,
) -> bool:
    """Whether a table with the ``wanted`` condition, and the ``added`` columns, accepts what one with the ``known`` conditions accepts."""
    listed = ", ".join([_OWN, *map(quoted, columns)])
    with empty_database() as db:
        try:
            _create(db, "before", [f"{_OWN}{' ANY' if strict else ''}", *columns.values()], known, strict=strict)
            _create(db, "after", [_OWN, *columns.values(), *added.values()], [wanted], strict=False)
            for row in rows:
                _try_row(db, row)
            db.execute(f"INSERT INTO after ({listed}) SELECT {listed} FROM before")  # noqa: S608 - in memory
        except FAILURES:
            return False
    return True


def _create(db: apsw.Connection, name: str, columns: Sequence[str], conditions: Sequence[str], *, strict: bool) -> None:
    checks = [f"CHECK ({condition}\n)" for condition in conditions]
    db.execute(f"CREATE TABLE {name} ({', '.join([*columns, *checks])}){' STRICT' if strict else ''}")


def _try_row(db: apsw.Connection, row: Sequence[Value]) -> None:
    """Add a row to the table with the old conditions, unless it refuses it."""
    try:
        db.execute(f"INSERT INTO before VALUES (1{', ?' * len(row)})", tuple(row))  # noqa: S608 - in memory
    except apsw.ConstraintError:
        return


def _are_comparable(columns: Collection[str], old: Table, new: Table) -> bool:
    """Whether columns hold the same values in both tables and compare them in the same way."""
    pairs = [(old.columns.get(name), new.columns[name]) for name in columns]
    return all(was is not None and _are_alike(was, now) for was, now in pairs)


def _are_alike(was: Column, now: Column) -> bool:
    is_plain = not was.generated and not now.generated and was.collation in _COLLATIONS
    return is_plain and (was.affinity, was.collation) == (now.affinity, now.collation)


def _are_plain(columns: Collection[str], table: Table) -> bool:
    """Whether columns compare their values in a way that is known here."""
    return all(table.columns[name].collation in _COLLATIONS for name in columns)


def _definition(name: str, column: Column | None, *, strict: bool) -> str:
    """A column for values of one of the old table; what a function returns (None) has no affinity."""
    if column is None:
        return f"{quoted(name)}{' ANY' if strict else ''}"
    kind = column.type if strict else column.affinity
    return f"{quoted(name)} {kind} COLLATE {column.collation}"


def _default(new: Table, name: str) -> str:
    column = new.columns[name]
    default = "" if column.default is None else f" DEFAULT ({column.default})"
    return f"{quoted(name)} {column.affinity} COLLATE {column.collation}{default}"


def _kinds(literals: Collection[str]) -> list[Value] | None:
    """A value for each place among some literals: equal to one, between two, before or after all, NULL, a BLOB; None where one is missing.

    A column may turn a text that looks like a number into one, and a number into a text, so each literal counts as both.
    """
    with empty_database() as db:
        queries = [f"SELECT {literal}, CAST({literal} AS TEXT), CAST({literal} AS NUMERIC)" for literal in literals]
        forms = [form for query in queries for form in db.execute(query).get]
    numbers = sorted({0, 1, *(form for form in forms if isinstance(form, (int, float)))})
    texts = {"", *(form for form in forms if isinstance(form, str))}
    if max(map(abs, numbers)) > _LARGEST or any(ord(letter) < ord(" ") for text in texts for letter in text):
        return None
    return [None, b"", *_places(numbers), *(text + end for text in sorted(texts) for end in ("", "\x01"))]


def _places(numbers: Sequence[int | float]) -> Iterator[int | float]:
    yield from (numbers[0] - 1, *numbers, numbers[-1] + 1)
    for low, high in pairwise(numbers):
        middle = (low + high) / 2
        yield from (middle, floor(middle), ceil(middle))
