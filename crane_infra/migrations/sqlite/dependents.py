"""Follows everything that can be left pointing at nothing, and checks after each file what may have changed, and only that."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import apsw

from crane_infra.migrations.sqlite.compiler import Compiler
from crane_infra.migrations.sqlite.events import Event
from crane_infra.migrations.sqlite.soundness import Condition, Dependent, condition_of, tables_used
from crane_infra.migrations.sqlite.tables import Table, Tables


class Unsound(NamedTuple):
    """A dependent that does not work, or not as written, at the end of a file; ``before`` is how it was at the start, None if it is new.

    ``since`` tells which of two dependents is older: it counts all that were ever created.
    """

    dependent: Dependent
    before: Condition | None
    now: Condition
    since: int


class Dependents:
    """The views, triggers and tables with foreign keys of one database."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._conditions: dict[Dependent, Condition] = {}
        self._uses: dict[Dependent, frozenset[str]] = {}
        self._users = defaultdict[str, set[Dependent]](set)
        self._since: dict[Dependent, int] = {}
        self._due, self._new, self._broken = set[Dependent](), set[Dependent](), set[Dependent]()

    @property
    def count(self) -> int:
        """How many were ever created: one that is created later has a ``since`` that is not lower."""
        return len(self._since)

    @property
    def broken(self) -> frozenset[Dependent]:
        """Those that do not compile."""
        return frozenset(self._broken)

    def views_of(self, names: Iterable[str]) -> frozenset[str]:
        """The views that use one of these tables or views."""
        return frozenset(user.name for name in names for user in self._users.get(name, ()) if user.kind == "view")

    def follow(self, events: Iterable[Event], read: Mapping[str, Table | None], changed: Iterable[str]) -> None:
        """Note what a change of the schema created or ``changed``, of the tables and views that were ``read`` after it."""
        for event in events:
            if event.action == apsw.SQLITE_CREATE_TRIGGER:
                self._create(Dependent("trigger", event.table))
            elif event.action == apsw.SQLITE_CREATE_VIEW:
                self._create(Dependent("view", event.table))
        for name in changed:
            self._due |= self._users.get(name, set())
        for name, table in read.items():
            if table is not None:
                self._follow_table(name, table)

    def settle(self, tables: Tables) -> tuple[Unsound, ...]:
        """Check everything that may have changed since the last time, and return what is not sound."""
        checked = [self._check(dependent, tables) for dependent in sorted(self._due, key=lambda due: (due.kind, due.name))]
        self._due.clear()
        self._new.clear()
        return tuple(unsound for unsound in checked if unsound)

    def _create(self, dependent: Dependent) -> None:
        self._since.setdefault(dependent, len(self._since))
        self._new.add(dependent)
        self._due.add(dependent)

    def _follow_table(self, name: str, table: Table) -> None:
        if table.kind == "view":
            # The columns of a view depend on what it uses, so this cannot wait for the end of the file.
            view = Dependent("view", name)
            self._use(view, self._uses.get(view, frozenset()) | tables_used(self._compiler, name))
            self._due.add(view)
        elif table.references:
            dependent = Dependent("table", name)
            if dependent not in self._since:
                self._create(dependent)
            self._due.add(dependent)

    def _check(self, dependent: Dependent, tables: Tables) -> Unsound | None:
        before = self._conditions.pop(dependent, None)
        table = tables.get(dependent.name)
        parents = frozenset(reference.table for reference in table.references) if table and dependent.kind == "table" else frozenset[str]()
        now = condition_of(self._compiler, dependent) if parents or dependent.kind != "table" else None
        self._broken.discard(dependent)
        self._use(dependent, now.uses | parents | {now.table.lower()} if now else frozenset())
        if now is None:
            return None
        self._conditions[dependent] = now
        if now.fault:
            self._broken.add(dependent)
        return None if now.is_sound else Unsound(dependent, None if dependent in self._new else before, now, self._since[dependent])

    def _use(self, dependent: Dependent, uses: frozenset[str]) -> None:
        for name in self._uses.pop(dependent, ()):
            self._users[name].discard(dependent)
        self._uses[dependent] = uses
        for name in uses:
            self._users[name].add(dependent)
