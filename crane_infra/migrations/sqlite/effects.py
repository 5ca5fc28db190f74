"""Follows the statements of a migration and tracks each table: dropped, renamed, rebuilt, known to be empty.

It judges nothing. It recognises a rebuild (create new, copy, drop old, rename) across its statements, and tables that are too new to have rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.tokens import where_of
from crane_infra.migrations.sqlite.statement_effect import Effect
from crane_infra.migrations.sqlite.tables import Tables
from crane_infra.migrations.sqlite.trial import Trial


@dataclass(frozen=True)
class TracedStatement:
    """One statement of a file and its effect there; ``number`` counts from 1.

    ``lost`` are the tables that may lose rows or references by it, ``blocking`` those whose rows make D1 refuse the drop of a table, and
    ``replaced`` is the name that the dropped table had when the file began.
    """

    number: int
    effect: Effect
    lost: frozenset[str]
    blocking: frozenset[str]
    replaced: str


@dataclass(frozen=True)
class FileTrace:
    """What a file does, from its ``start`` to its ``end``.

    ``live`` is what the database holds before any pending file: the only tables that traffic can use. ``origin`` maps the name of a table at
    the end to its name at the start; it lacks tables that the file creates.
    """

    file: MigrationFile
    live: Tables
    start: Tables
    end: Tables
    statements: tuple[TracedStatement, ...]
    origin: Mapping[str, str]

    def when(self, holds: Callable[[Tables], bool]) -> int:
        """The number of the last statement that made something true of the tables."""
        changes = (each.number for each in reversed(self.statements) if holds(each.effect.after) and not holds(each.effect.before))
        return next(changes, 1)

    def rebuilt(self, table: str) -> bool:
        """Whether the table of this name is another one at the end than at the start."""
        return table in self.start and table in self.end and self.origin.get(table) != table

    @property
    def touched(self) -> frozenset[str]:
        """The tables that the file creates, changes, drops or writes to."""
        return frozenset[str]().union(*(statement.effect.touches for statement in self.statements))

    @property
    def read(self) -> frozenset[str]:
        """The tables that the file reads."""
        return frozenset[str]().union(*(statement.effect.reads for statement in self.statements))

    def named(self, table: str) -> str:
        """The name of a table as the files write it."""
        states = (self.end, self.start, *(statement.effect.before for statement in self.statements))
        return next((tables[table].name for tables in states if table in tables), table)


class Tracer:
    """Traces files in order on one trial database, and remembers across them which tables have no rows."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._live = trial, trial.tables
        self._empty, self._origin = set[str](), dict[str, str]()

    def trace(self, file: MigrationFile) -> FileTrace:
        """Run the statements of a file on the trial database."""
        self._trial.begin_file()
        start = self._trial.tables
        self._origin = {name: name for name in start}
        statements = tuple(self._statement(number, sql) for number, sql in enumerate(file.statements, 1))
        return FileTrace(file, self._live, start, self._trial.tables, statements, dict(self._origin))

    def _statement(self, number: int, sql: str) -> TracedStatement:
        effect = self._trial.run(sql)
        dropped = next(iter(sorted(effect.drops)), "")
        blocking = _blocking(effect.before, dropped) - self._empty
        statement = TracedStatement(number, effect, effect.cascades - self._empty, blocking, self._origin.get(dropped, dropped))
        self._follow(effect)
        return statement

    def _follow(self, effect: Effect) -> None:
        if effect.renames:
            self._rename(*effect.renames)
        else:
            gone, new = effect.before.keys() - effect.after.keys(), effect.after.keys() - effect.before.keys()
            self._empty = (self._empty - gone) | new
            self._origin = {name: origin for name, origin in self._origin.items() if name not in gone}
        self._empty -= effect.fills
        if effect.verb == "delete" and _affects_all_rows(effect.sql):
            self._empty |= effect.targets

    def _rename(self, old: str, new: str) -> None:
        if old in self._empty:
            self._empty = (self._empty - {old}) | {new}
        if old in self._origin:
            self._origin[new] = self._origin.pop(old)


def _blocking(tables: Tables, dropped: str) -> frozenset[str]:
    """The tables that refer to a dropped one without an ON DELETE action that settles it."""
    referring = {name: [ref for ref in table.references if ref.table == dropped] for name, table in tables.items() if name != dropped}
    return frozenset(name for name, references in referring.items() if any(not reference.loses for reference in references))


def _affects_all_rows(sql: str) -> bool:
    where = where_of(sql)
    return where is None or [token.keyword for token in where] in (["TRUE"], ["1"])
