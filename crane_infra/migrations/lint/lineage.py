"""Follows the rows of one table through a file: under which name they are before and after each statement, also while it is rebuilt (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.overwrites import overwriting
from crane_infra.migrations.sqlite.statement_effect import Effect


@dataclass(frozen=True)
class Lineage:
    """The rows of the table that has a ``name`` (in lower case) when the file begins."""

    trace: FileTrace
    name: str

    @cached_property
    def old(self) -> tuple[str, ...]:
        """The name of that table before each statement and at the end; empty once it is dropped."""
        names = [self.name]
        for effect in self._effects:
            names.append(_after(effect, names[-1]))
        return tuple(names)

    @cached_property
    def new(self) -> tuple[str, ...]:
        """The same of the table that replaces it; empty before that is created, and all the same as ``old`` where none does."""
        if not self.is_rebuilt:
            return self.old
        names = [self.name]
        for effect in reversed(self._effects):
            names.append(_before(effect, names[-1]))
        return tuple(reversed(names))

    @property
    def is_rebuilt(self) -> bool:
        """Whether another table has its place at the end, and it does not just have another name itself."""
        return self.trace.rebuilt(self.name) and not (self.old[-1] and self.trace.origin(self.name))

    @property
    def end(self) -> str:
        """The name of the table that has the rows at the end; empty where none has."""
        return self.new[-1]

    @cached_property
    def switch(self) -> int:
        """The number of the statement from which on the new table has the rows: the first copy into it, or else what gives it the name."""
        if not self.is_rebuilt:
            return 0
        takes_the_name = (number for number in range(len(self.new) - 1, 0, -1) if self.new[number - 1] != self.name)
        return min(self.restores, default=next(takes_the_name))

    @cached_property
    def restores(self) -> frozenset[int]:
        """The numbers of the statements that copy rows of the table into the one that replaces it, or back into it from a copy."""
        carriers, restores = {self.name}, set()
        for statement, own in zip(self.trace.statements, self.new, strict=False):
            effect = statement.effect
            becomes = self.new[statement.number]
            is_filled = becomes in effect.fills and (becomes in effect.targets or effect.changes_schema)
            if is_filled and effect.sources & carriers - {own}:
                restores.add(statement.number)
            elif effect.sources & carriers:
                carriers |= effect.fills
            carriers = {_after(effect, carrier) for carrier in carriers} - {""}
        return frozenset(restores)

    def names_around(self, number: int) -> tuple[str, str]:
        """The names of the table that has the rows, before and after a statement; empty where there is none."""
        before = self.new if number > self.switch else self.old
        after = self.new if number >= self.switch else self.old
        return before[number - 1], after[number]

    def takes(self, statement: TracedStatement) -> bool:
        """Whether a statement may take rows or references from the table on its way to something else: by foreign keys or triggers."""
        effect, name = statement.effect, self.names_around(statement.number)[0]
        if not name or name in statement.own or name not in effect.before:
            return False
        parents = parents_of(effect) | (_deleted_from(effect) & {name})
        by_key = any(reference.table in parents and reference.loses for reference in effect.before[name].references)
        return by_key or name in effect.cascades | effect.deleted_by_triggers

    def means(self, statement: TracedStatement) -> bool:
        """Whether a statement adds rows to the table, or deletes some by its name."""
        effect, names = statement.effect, frozenset(self.names_around(statement.number)) - {""}
        return bool(names & (effect.fills | _deleted_from(effect)))

    def hides(self, statement: TracedStatement) -> bool:
        """Whether no count can tell what a statement takes from the table, because it also adds rows that it does not count itself."""
        effect, name = statement.effect, self.names_around(statement.number)[0]
        added = name in effect.filled_by_triggers or (name in effect.targets and overwriting(effect) is not None)
        return added and self.takes(statement)

    @property
    def _effects(self) -> list[Effect]:
        return [statement.effect for statement in self.trace.statements]


def lineages(trace: FileTrace) -> Iterator[Lineage]:
    """The tables with a user's rows from which a file may take some, or which it rebuilds, and that are still there at its end."""
    effects = [statement.effect for statement in trace.statements]
    concerned = frozenset(trace.changed).union(*(effect.children | effect.cascades | effect.deleted_by_triggers for effect in effects))
    for name in sorted(name for name in concerned - trace.own if name in trace.start):
        lineage = Lineage(trace, name)
        if trace.start[name].kind == "table" and lineage.end and trace.end[lineage.end].kind == "table":
            yield lineage


def parents_of(effect: Effect) -> frozenset[str]:
    """The tables whose rows a statement deletes with what refers to them: it drops them, deletes or replaces rows, or a trigger does."""
    is_deleting = effect.cascades or overwriting(effect) == "replace"
    return effect.drops | effect.deleted_by_triggers | effect.replaced_by_triggers | (effect.targets if is_deleting else frozenset())


def _deleted_from(effect: Effect) -> frozenset[str]:
    return effect.targets if effect.verb == "delete" else frozenset()


def _after(effect: Effect, name: str) -> str:
    if effect.renames and effect.renames[0] == name:
        return effect.renames[1]
    return "" if name in effect.changed and name not in effect.after else name


def _before(effect: Effect, name: str) -> str:
    if effect.renames and effect.renames[1] == name:
        return effect.renames[0]
    return "" if name in effect.changed and name not in effect.before else name
