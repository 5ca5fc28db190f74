"""Indexes for as long as an import runs, where foreign keys go round in circles (pure but for the database that is asked).

SQLite looks for the children of each row that goes, and of each row that comes while a reference is still open. Where a table refers to itself,
its children are there at that moment, and without an index it reads all of them for each row: 200 million rows for a table of 20,000.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import apsw

from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.engine import rows


class PassingIndex(NamedTuple):
    """An index that the same transaction creates and drops."""

    table: str
    create: str
    drop: str


def passing_indexes(db: apsw.Connection, ordered: Sequence[str], *, own_count: bool) -> list[PassingIndex]:
    """One for each foreign key to a table that does not come before its own. ``ordered`` are the tables, parents first.

    ``own_count``: the indexes of the tables stay meanwhile, so that a key that has one needs no other.
    """
    places = {name.lower(): place for place, name in enumerate(ordered)}
    keys = [
        (name, columns)
        for name in ordered
        for parent, columns in _references(db, name)
        if places.get(parent.lower(), -1) >= places[name.lower()] and not (own_count and _has_index(db, name, columns))
    ]
    return [_index(number, *key) for number, key in enumerate(dict.fromkeys(keys), 1)]


def _index(number: int, table: str, columns: tuple[str, ...]) -> PassingIndex:
    name = quoted(f"crane circle {number}")
    create = f"CREATE INDEX {name} ON {quoted(table)} ({', '.join(map(quoted, columns))})"
    return PassingIndex(table, create, f"DROP INDEX {name}")


def _references(db: apsw.Connection, table: str) -> list[tuple[str, tuple[str, ...]]]:
    """The parent and the columns of each foreign key."""
    columns, parents = defaultdict[int, list[str]](list), dict[int, str]()
    for number, parent, column in rows(db, 'SELECT id, "table", "from" FROM pragma_foreign_key_list(?) ORDER BY id, seq', table):
        columns[number].append(column)
        parents[number] = parent
    return [(parents[number], tuple(names)) for number, names in columns.items()]


def _has_index(db: apsw.Connection, table: str, columns: tuple[str, ...]) -> bool:
    """Whether an index of all rows begins with these columns."""
    for (index,) in rows(db, "SELECT name FROM pragma_index_list(?) WHERE NOT partial", table):
        names = [name for (name,) in rows(db, "SELECT name FROM pragma_index_info(?) ORDER BY seqno", index)]
        if set(names[: len(columns)]) == set(columns):
            return True
    return False
