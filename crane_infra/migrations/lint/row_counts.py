"""Finds which rows a migration could lose without declaring it; the run counts them before and after, in the same request (pure).

These are the tables that refer to one which the file drops or deletes from, those from which triggers delete, the tables that it rebuilds, and
those whose rows it overwrites.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.sqlite.effects import FileTrace
from crane_infra.migrations.sqlite.tables import Table


@dataclass(frozen=True)
class Counted:
    """One count: the rows of a table, or those whose ``column`` is not NULL. ``may_fall``: the loss is declared or accepted.

    With a ``statement`` it counts the rows that are still as they were: right before and after this statement of the file, which overwrites
    some. ``is_insert``: it also adds rows, and those that it wrote are not counted.
    """

    table: str
    column: str | None
    may_fall: bool
    statement: int | None = None
    is_insert: bool = False

    @property
    def label(self) -> str:
        """What it counts: ``sessions``, ``sessions.user``."""
        if self.statement is not None:
            return f"{self.table} (overwritten by statement {self.statement})"
        return self.table if self.column is None else f"{self.table}.{self.column}"

    @property
    def query(self) -> str:
        """The SELECT that counts."""
        return f"SELECT COUNT({'*' if self.column is None else quoted(self.column)}) FROM {quoted(self.table)}"  # noqa: S608

    @property
    def query_after(self) -> str:
        """The SELECT that counts afterwards. What an INSERT wrote, new or over a row, ``changes()`` tells."""
        return f"{self.query.replace('SELECT ', 'SELECT -changes() + ', 1)}" if self.is_insert else self.query


def counts_of(trace: FileTrace) -> tuple[Counted, ...]:
    """What to count before and after a file; nothing if it cannot lose rows."""
    parents = frozenset[str]().union(*(_parents(trace, index) for index in range(len(trace.statements))))
    cascades = frozenset[str]().union(*(statement.effect.cascades for statement in trace.statements))
    deleted = {table for statement in trace.statements if statement.effect.verb == "delete" for table in statement.effect.targets}
    declared = trace.file.header.loses_rows | deleted
    counts = []
    children = frozenset[str]().union(*(statement.effect.children for statement in trace.statements))
    by_triggers = frozenset[str]().union(*(statement.effect.deleted_by_triggers for statement in trace.statements))
    for name in sorted(children | cascades | by_triggers | set(trace.changed)):
        table = trace.start.get(name)
        if (
            table
            and name not in trace.own
            and name in trace.end
            and table.kind == trace.end[name].kind == "table"
            and _at_risk(trace, name, table, parents, cascades | by_triggers)
        ):
            counts += [Counted(table.name, column, name in declared) for column in dict.fromkeys((None, *_cleared(trace, table, parents)))]
    return (*counts, *_overwritten(trace))


def _overwritten(trace: FileTrace) -> Iterator[Counted]:
    """The counts around each statement that may overwrite rows."""
    for statement in trace.statements:
        for name in sorted(statement.overwrites):
            may_fall = name in trace.file.header.overwrites_rows
            is_insert = statement.effect.verb == "insert"
            yield Counted(statement.effect.before[name].name, None, may_fall, statement.number, is_insert)


def _parents(trace: FileTrace, index: int) -> frozenset[str]:
    effect = trace.statements[index].effect
    return effect.drops | (effect.targets if effect.cascades else frozenset())


def _at_risk(trace: FileTrace, name: str, table: Table, parents: frozenset[str], deleted: frozenset[str]) -> bool:
    return name in deleted or trace.rebuilt(name) or any(reference.table in parents for reference in table.references)


def _cleared(trace: FileTrace, table: Table, parents: frozenset[str]) -> Iterator[str]:
    """The columns that ON DELETE SET NULL or SET DEFAULT would clear, if they still exist at the end."""
    for reference in table.references:
        if reference.table in parents and reference.on_delete in {"SET NULL", "SET DEFAULT"}:
            for key in reference.columns:
                if key in trace.end[table.name.lower()].columns and key in table.columns:
                    yield table.columns[key].name
