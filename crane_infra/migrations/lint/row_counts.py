"""Finds which rows a migration could lose without declaring it; the run counts them before and after, in the same request (pure).

These are the tables that refer to one which the file drops or deletes from, those from which triggers delete, the tables that it rebuilds, and
those whose rows it overwrites. Rows that the file itself adds or deletes in between, by the name of the table, are taken out of the count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.lint.lineage import Lineage, lineages, parents_of
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.tables import Table


class Span(NamedTuple):
    """Statements of a file, from the ``first`` to the ``last``, and the names that a table has before and after them."""

    first: int
    last: int
    before: str
    after: str


@dataclass(frozen=True)
class Counted:
    """One count: the rows of a table, or those whose ``column`` is not NULL. ``may_fall``: the loss is declared or accepted.

    It is taken before and after the statements of a ``span``. ``meant`` are spans in it of which the file means what they add and delete.
    ``added`` and ``deleted`` are statements that do so and may also take rows: for these, SQLite tells how many they name. ``overwrites``: it
    counts the rows that are still as they were around one statement which overwrites some.
    """

    table: str
    column: str | None
    may_fall: bool
    span: Span
    meant: tuple[Span, ...] = ()
    added: frozenset[int] = frozenset()
    deleted: frozenset[int] = frozenset()
    overwrites: bool = False

    @property
    def label(self) -> str:
        """What it counts: ``sessions``, ``sessions.user``."""
        if self.overwrites:
            return f"{self.table} (overwritten by statement {self.span.first})"
        return self.table if self.column is None else f"{self.table}.{self.column}"

    @property
    def query(self) -> str:
        """The SELECT that counts what is there before."""
        return self._select(self.span.before)

    def before(self, number: int) -> Iterator[str]:
        """What to add before a statement to the rows that are left."""
        yield from (f"+ ({self._select(span.before)})" for span in self.meant if span.first == number)

    def right_after(self, number: int) -> Iterator[str]:
        """What to add directly after a statement."""
        if number in self.added | self.deleted:
            yield f"{'-' if number in self.added else '+'} changes()"

    def after(self, number: int) -> Iterator[str]:
        """What to add after a statement."""
        yield from (f"- ({self._select(span.after)})" for span in self.meant if span.last == number)
        if self.span.last == number:
            yield f"+ ({self._select(self.span.after)})"

    def _select(self, table: str) -> str:
        return f"SELECT COUNT({'*' if self.column is None else quoted(self.column)}) FROM {quoted(table)}"  # noqa: S608


def counts_of(trace: FileTrace) -> tuple[Counted, ...]:
    """What to count before and after a file; nothing if it cannot lose rows."""
    return (*(count for lineage in lineages(trace) for count in _of_table(lineage)), *_overwritten(trace))


def _of_table(lineage: Lineage) -> Iterator[Counted]:
    trace = lineage.trace
    taking = [statement for statement in trace.statements if lineage.takes(statement)]
    numbers = {statement.number for statement in taking}
    if lineage.is_rebuilt:
        numbers |= {lineage.switch, *lineage.restores}
    elif numbers:
        numbers |= {number for number in lineage.restores if number > min(numbers)}
    if not numbers:
        return
    may_fall, table = lineage.name in trace.file.header.loses_rows, trace.start[lineage.name].name
    named = [statement for statement in taking if lineage.names_around(statement.number)[0] in statement.effect.targets]
    own = [statement for statement in named if not lineage.hides(statement)]
    added = frozenset(statement.number for statement in own if statement.effect.verb == "insert")
    deleted = frozenset(statement.number for statement in own if statement.effect.verb == "delete")
    span, meant = _span(lineage, numbers), tuple(_meant(lineage, numbers))
    yield Counted(table, None, may_fall, span, meant, added, deleted)
    whole = Span(1, len(trace.statements), table, trace.named(lineage.end))
    for column in _cleared(lineage):
        if all(_has_column(trace, each, column) for each in (span, *meant)):
            yield Counted(table, column, may_fall or bool(deleted), span, meant)
        else:
            yield Counted(table, column, may_fall or bool(deleted), whole)


def _span(lineage: Lineage, numbers: set[int]) -> Span:
    """From the first of some statements to the last one; from the drop of the table, where that comes before."""
    first, last = min(numbers), max(numbers)
    first = next(number for number in range(first, 0, -1) if lineage.names_around(number)[0])
    return _named(lineage, first, last)


def _meant(lineage: Lineage, numbers: set[int]) -> Iterator[Span]:
    """The statements between some others that add rows to the table or delete some, together where no other is between them."""
    run: list[int] = []
    for number in range(min(numbers) + 1, max(numbers) + 1):
        if number in numbers:
            if run:
                yield _named(lineage, run[0], run[-1])
            run = []
        elif lineage.means(lineage.trace.statements[number - 1]) and all(lineage.names_around(number)):
            run.append(number)


def _named(lineage: Lineage, first: int, last: int) -> Span:
    before, after = lineage.names_around(first)[0], lineage.names_around(last)[1]
    return Span(first, last, lineage.trace.named(before), lineage.trace.named(after))


def _has_column(trace: FileTrace, span: Span, column: str) -> bool:
    before, after = trace.statements[span.first - 1].effect.before, trace.statements[span.last - 1].effect.after
    return column.lower() in before[span.before.lower()].columns and column.lower() in after[span.after.lower()].columns


def _cleared(lineage: Lineage) -> Iterator[str]:
    """The columns that ON DELETE SET NULL or SET DEFAULT would clear, if they still exist at the end."""
    trace, table = lineage.trace, lineage.trace.start[lineage.name]
    cleared = dict.fromkeys(key for statement in trace.statements for key in _cleared_by(lineage, table, statement))
    yield from (table.columns[key].name for key in cleared if key in trace.end[lineage.end].columns and key in table.columns)


def _cleared_by(lineage: Lineage, table: Table, statement: TracedStatement) -> Iterator[str]:
    """The columns that a statement would clear, by the references that the table has at the start and before it: a parent may have a new name."""
    now = statement.effect.before.get(lineage.names_around(statement.number)[0], table)
    parents = parents_of(statement.effect)
    for reference in dict.fromkeys((*table.references, *now.references)):
        if reference.table in parents and reference.on_delete in {"SET NULL", "SET DEFAULT"}:
            yield from reference.columns


def _overwritten(trace: FileTrace) -> Iterator[Counted]:
    """The counts around each statement that may overwrite rows."""
    for statement in trace.statements:
        for name in sorted(statement.overwrites):
            table, number = statement.effect.before[name].name, statement.number
            added = frozenset({number} if statement.effect.verb == "insert" else ())
            may_fall = name in trace.file.header.overwrites_rows
            yield Counted(table, None, may_fall, Span(number, number, table, table), added=added, overwrites=True)
