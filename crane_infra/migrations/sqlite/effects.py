"""Goes through the statements of a migration and keeps track of what became of each table: dropped, renamed, rebuilt, known to be empty.

Judges nothing. Prevents a rebuild (make new, copy, drop old, rename) from looking like four harmless statements, and a table that was
made a moment ago from being defended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.tokens import condition
from crane_infra.migrations.sqlite.tables import Tables
from crane_infra.migrations.sqlite.trial import Effect, Trial


@dataclass(frozen=True)
class Step:
    """One statement. ``lost``: tables that may lose rows or references by it. ``blocking``: tables whose rows keep it from dropping one.

    ``replaced`` is the name under which a dropped table was known when the file began.
    """

    number: int
    effect: Effect
    lost: frozenset[str]
    blocking: frozenset[str]
    replaced: str


@dataclass(frozen=True)
class Walk:
    """What a file does. ``live`` is what the database holds before any pending file: the only tables that traffic can know.

    ``origin`` tells under which name a table of the end was known at the start; one that the file made is not in it.
    """

    file: MigrationFile
    live: Tables
    start: Tables
    end: Tables
    steps: tuple[Step, ...]
    origin: Mapping[str, str]

    def when(self, holds: Callable[[Tables], bool]) -> int:
        """The number of the statement that last made something true of the tables."""
        turns = (step.number for step in reversed(self.steps) if holds(step.effect.after) and not holds(step.effect.before))
        return next(turns, 1)

    def rebuilt(self, table: str) -> bool:
        """Whether the table of this name is another one than at the start."""
        return table in self.start and table in self.end and self.origin.get(table) != table

    @property
    def touched(self) -> frozenset[str]:
        """The tables that the file makes, changes, drops or writes to."""
        return frozenset[str]().union(*(step.effect.touches for step in self.steps))

    @property
    def read(self) -> frozenset[str]:
        """The tables that the file reads."""
        return frozenset[str]().union(*(step.effect.reads for step in self.steps))

    def named(self, table: str) -> str:
        """The name of a table as the files write it."""
        places = (self.end, self.start, *(step.effect.before for step in self.steps))
        return next((tables[table].name for tables in places if table in tables), table)


class Walker:
    """Walks through pending files in order, and knows across them which tables have no rows."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._live = trial, trial.tables
        self._empty, self._origin = set[str](), dict[str, str]()

    def walk(self, file: MigrationFile) -> Walk:
        """Run the statements of a file on the trial database."""
        self._trial.begin_file()
        start = self._trial.tables
        self._origin = {name: name for name in start}
        steps = tuple(self._step(number, statement) for number, statement in enumerate(file.statements, 1))
        return Walk(file, self._live, start, self._trial.tables, steps, dict(self._origin))

    def _step(self, number: int, statement: str) -> Step:
        effect = self._trial.run(statement)
        dropped = next(iter(sorted(effect.drops)), "")
        blocking = _blocking(effect.before, dropped) - self._empty
        step = Step(number, effect, effect.cascades - self._empty, blocking, self._origin.get(dropped, dropped))
        self._follow(effect)
        return step

    def _follow(self, effect: Effect) -> None:
        if effect.renames:
            self._rename(*effect.renames)
        else:
            gone, new = effect.before.keys() - effect.after.keys(), effect.after.keys() - effect.before.keys()
            self._empty = (self._empty - gone) | new
            self._origin = {name: origin for name, origin in self._origin.items() if name not in gone}
        self._empty -= effect.fills
        if effect.verb == "delete" and _of_all(effect.statement):
            self._empty |= effect.targets

    def _rename(self, old: str, new: str) -> None:
        if old in self._empty:
            self._empty = (self._empty - {old}) | {new}
        if old in self._origin:
            self._origin[new] = self._origin.pop(old)


def _blocking(tables: Tables, dropped: str) -> frozenset[str]:
    refer = {name: [ref for ref in table.references if ref.table == dropped] for name, table in tables.items() if name != dropped}
    return frozenset(name for name, references in refer.items() if any(not reference.loses for reference in references))


def _of_all(statement: str) -> bool:
    found = condition(statement)
    return found is None or [token.keyword for token in found] in (["TRUE"], ["1"])
