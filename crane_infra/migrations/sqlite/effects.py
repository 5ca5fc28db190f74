"""Follows the statements of a migration and tracks each table: dropped, renamed, rebuilt, known to be empty.

It judges nothing. It recognises a rebuild (create new, copy, drop old, rename) across its statements, and tables that are too new to have rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.tokens import where_of
from crane_infra.migrations.sqlite.attached import Attached
from crane_infra.migrations.sqlite.dependents import Unsound
from crane_infra.migrations.sqlite.overwrites import overwriting
from crane_infra.migrations.sqlite.statement_effect import Effect
from crane_infra.migrations.sqlite.tables import Tables
from crane_infra.migrations.sqlite.trial import Trial


class TracedStatement(NamedTuple):
    """One statement of a file and its effect there; ``number`` counts from 1.

    ``lost`` are the tables that may lose rows or references by it, ``blocking`` those whose rows make D1 refuse the drop of a table, and
    ``replaced`` is the name that the dropped table had when the file began. ``overwrites`` are the tables with rows that no pending file wrote
    and that the statement may write over, and ``drops_rows`` those that it drops with such rows. ``own`` are the tables that have no other rows
    before it than those which pending files wrote. ``copies_nothing``: all tables that it copies from are known to be empty.
    """

    number: int
    effect: Effect
    lost: frozenset[str]
    blocking: frozenset[str]
    replaced: str
    overwrites: frozenset[str] = frozenset()
    drops_rows: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    copies_nothing: bool = False


class LeftUnsound(NamedTuple):
    """What a file leaves not sound. ``is_live``: it was there before any pending file, so traffic may use it."""

    unsound: Unsound
    is_live: bool


class LeftBehind(NamedTuple):
    """A trigger or index that is gone after a file and that a statement of it dropped, by ``is_named`` its name or else with its table."""

    attached: Attached
    statement: TracedStatement
    is_named: bool

    @property
    def host(self) -> str:
        """The name that its table or view had when the file began."""
        return self.statement.replaced or self.attached.table


@dataclass(frozen=True)
class FileTrace:
    """What a file does, from its ``start`` to its ``end``.

    ``live`` is what the database holds before any pending file: the only tables that traffic can use. ``moved`` maps the names of tables that
    the file creates or renames to their names at the start, empty for a new one. ``own`` are the tables that have no rows at the start, or
    only rows that pending files wrote.
    """

    file: MigrationFile
    live: Tables
    start: Tables
    end: Tables
    statements: tuple[TracedStatement, ...]
    moved: Mapping[str, str]
    unsound: tuple[LeftUnsound, ...] = ()
    live_attached: int = 0
    own: frozenset[str] = frozenset()

    def when(self, holds: Callable[[Tables], bool]) -> int:
        """The number of the last statement that made something true of the tables."""
        changes = (each.number for each in reversed(self.statements) if holds(each.effect.after) and not holds(each.effect.before))
        return next(changes, 1)

    def origin(self, table: str) -> str:
        """The name at the start of the table that has this name at the end; empty for one that the file creates."""
        return self.moved.get(table, table if table in self.start else "")

    def renamed_to(self, table: str) -> str:
        """The name at the end to which the file renames the table that has this name at the start; empty where it does not."""
        return next((new for new, old in self.moved.items() if old == table), "")

    def rebuilt(self, table: str) -> bool:
        """Whether the table of this name is another one at the end than at the start."""
        return table in self.start and table in self.end and self.origin(table) != table

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The tables and views that statements of the file change, create or drop, sorted."""
        return tuple(sorted(frozenset[str]().union(*(statement.effect.changed for statement in self.statements))))

    @cached_property
    def left_behind(self) -> tuple[LeftBehind, ...]:
        """The triggers and indexes that were there before any pending file and that this file drops and does not make again."""
        gone, made = dict[tuple[str, str], LeftBehind](), dict[tuple[str, str], Attached]()
        for statement in self.statements:
            exchange = statement.effect.exchange
            for attached in exchange.gone:
                if made.pop(attached.key, None) is None and attached.since < self.live_attached:
                    gone.setdefault(attached.key, LeftBehind(attached, statement, statement.effect.drops_by_name(attached)))
            made |= {attached.key: attached for attached in exchange.made}
            made |= {attached.key: attached for attached in exchange.moved if attached.key in made}
        bodies = {(attached.table, attached.body) for attached in made.values()} if gone else set[tuple[str, str]]()
        return tuple(left for key, left in gone.items() if key not in made and (left.host, left.attached.body) not in bodies)

    def becomes(self, table: str, number: int) -> str:
        """The name at the end of the table that has this name after a statement; empty where it is dropped."""
        for effect in (later.effect for later in self.statements[number:]):
            if effect.renames and effect.renames[0] == table:
                table = effect.renames[1]
            elif table in effect.changed and table not in effect.after:
                return ""
        return table

    def lost_by(self, statement: TracedStatement) -> frozenset[str]:
        """The tables that may lose rows or references by a statement and that the file does not drop anyway, without reading them again."""
        return frozenset(table for table in statement.lost if not self._is_dropped_unread(table, statement.number))

    def _is_dropped_unread(self, table: str, number: int) -> bool:
        for effect in (later.effect for later in self.statements[number:]):
            if table in effect.drops:
                return True
            if table in effect.sources or table in (effect.renames or ()):
                return False
        return False

    def added_columns(self, number: int) -> frozenset[tuple[str, str]]:
        """The columns that ALTER TABLE adds before a statement, each with its table."""
        effects = [earlier.effect for earlier in self.statements[: number - 1]]
        grown = ((name, effect.before.get(name), effect.after.get(name)) for effect in effects for name in effect.changed)
        return frozenset(
            (name, column)
            for name, before, after in grown
            if before and after and before.columns.keys() < after.columns.keys()
            for column in after.columns.keys() - before.columns.keys()
        )

    def last_use(self, unsound: Unsound) -> int:
        """The number of the last statement that created a view, trigger or table with foreign keys, or changed what it uses."""
        uses = unsound.now.uses | {unsound.dependent.name}
        numbers = (
            each.number for each in reversed(self.statements) if each.effect.changed & uses or each.effect.creates(unsound.dependent)
        )
        return next(numbers, 1)

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
    """Traces files in order on one trial database, and remembers across them which tables have no rows, or only rows of these files.

    ``judged`` False is for files that the database already has: they run as SQLite takes them.
    """

    def __init__(self, trial: Trial, *, judged: bool = True) -> None:
        self._trial, self._live, self._judged = trial, trial.tables, judged
        self._live_dependents, self._live_attached = trial.dependents, trial.attached
        self._empty, self._own, self._moved = set[str](), set[str](), dict[str, str]()

    def trace(self, file: MigrationFile) -> FileTrace:
        """Run the statements of a file on the trial database."""
        self._trial.begin_file(judged=self._judged)
        start, own = self._trial.tables, frozenset(self._own)
        self._moved = {}
        statements = tuple(self._statement(number, sql) for number, sql in enumerate(file.statements, 1))
        left = self._trial.end_file() if self._judged else ()
        unsound = tuple(LeftUnsound(each, each.since < self._live_dependents) for each in left)
        end = self._trial.tables
        return FileTrace(file, self._live, start, end, statements, self._moved, unsound, self._live_attached, own)

    def _statement(self, number: int, sql: str) -> TracedStatement:
        effect = self._trial.run(sql)
        dropped = next(iter(sorted(effect.drops)), "")
        statement = TracedStatement(
            number,
            effect,
            effect.cascades - self._empty,
            _blocking(effect, dropped) - self._empty,
            self._origin(dropped),
            effect.targets - self._own if overwriting(effect) else frozenset(),
            effect.drops - self._own,
            frozenset(self._own),
            self._copies_nothing(effect),
        )
        self._follow(effect)
        return statement

    def _copies_nothing(self, effect: Effect) -> bool:
        return effect.gives_no_rows and bool(effect.sources) and effect.sources <= self._empty

    def _origin(self, name: str) -> str:
        return self._moved.get(name) or name

    def _follow(self, effect: Effect) -> None:
        if effect.renames:
            self._rename(*effect.renames)
        else:
            gone = {name for name in effect.changed if name not in effect.after}
            new = {name for name in effect.changed if name not in effect.before}
            self._empty -= gone
            self._empty |= new
            self._own -= gone
            self._own |= new
            self._moved |= dict.fromkeys(gone | new, "")
        if self._copies_nothing(effect):
            return
        self._empty -= effect.fills
        if effect.fills and not effect.sources - effect.fills <= self._own:
            self._own -= effect.fills  # rows of other tables may be copied
        if effect.verb == "delete" and _affects_all_rows(effect.sql):
            self._empty |= effect.targets
            self._own |= effect.targets

    def _rename(self, old: str, new: str) -> None:
        for known in (self._empty, self._own):
            if old in known:
                known.remove(old)
                known.add(new)
        self._moved[new] = self._moved.get(old, old)
        self._moved[old] = ""


def _blocking(effect: Effect, dropped: str) -> frozenset[str]:
    """The tables that refer to a dropped one without an ON DELETE action that settles it."""
    referring = {
        name: [ref for ref in effect.before[name].references if ref.table == dropped] for name in effect.children if name != dropped
    }
    return frozenset(name for name, references in referring.items() if any(not reference.loses for reference in references))


def _affects_all_rows(sql: str) -> bool:
    where = where_of(sql)
    return where is None or [token.keyword for token in where] in (["TRUE"], ["1"])
