"""The tables of a database as they were after each change, in memory that grows with the changes and not with the tables."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from crane_infra.migrations.sqlite.tables import Table, Tables


class TableHistory:
    """Every version of every table. ``children`` maps the name of a table to the tables that refer to it now."""

    def __init__(self) -> None:
        self._versions: dict[str, list[tuple[int, Table | None]]] = {}
        self._now = 0
        self._children = defaultdict[str, set[str]](set)

    @property
    def now(self) -> Tables:
        """The tables at this moment; it stays as it is when others are recorded."""
        return _Snapshot(self._versions, self._now)

    def record(self, read: Mapping[str, Table | None]) -> frozenset[str]:
        """Record tables that were read again, None for those that are gone; return the names of those that changed."""
        before = self.now
        changed = {name: table for name, table in read.items() if before.get(name) != table}
        if changed:
            self._now += 1
        for name, table in changed.items():
            self._versions.setdefault(name, []).append((self._now, table))
            self._refer(name, before.get(name), table)
        return frozenset(changed)

    def children(self, tables: Iterable[str]) -> frozenset[str]:
        """The tables that refer to one of these now."""
        return frozenset(child for table in tables for child in self._children.get(table, ()))

    def _refer(self, name: str, before: Table | None, after: Table | None) -> None:
        for reference in before.references if before else ():
            self._children[reference.table].discard(name)
        for reference in after.references if after else ():
            self._children[reference.table].add(name)


class _Snapshot(Tables):
    def __init__(self, versions: Mapping[str, list[tuple[int, Table | None]]], at: int) -> None:
        self._versions, self._at = versions, at

    def __getitem__(self, name: str) -> Table:
        versions = self._versions[name]
        index = bisect_right(versions, self._at, key=lambda version: version[0])
        if index and (table := versions[index - 1][1]) is not None:
            return table
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in list(self._versions) if name in self)

    def __bool__(self) -> bool:
        return self._at > 0 and next(iter(self), None) is not None

    def __len__(self) -> int:
        return sum(1 for _ in self)
