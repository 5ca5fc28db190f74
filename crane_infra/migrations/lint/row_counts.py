"""Which rows a migration could lose without saying so: what the run counts before and after it, in the same request (pure).

Counts the tables that refer to one which the file drops or deletes from, and the tables that it rebuilds. Says nothing about how many
there are. Prevents children emptied by a rebuild of their parent, and a copy that leaves rows out, from passing for success.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crane_infra.migrations.sqlite.effects import Walk
from crane_infra.migrations.sqlite.tables import Table


@dataclass(frozen=True)
class Counted:
    """One count: the rows of a table, or those of its rows whose ``column`` is not NULL. ``may_fall``: the file says so."""

    table: str
    column: str | None
    may_fall: bool

    @property
    def label(self) -> str:
        """How it is called: ``sessions``, ``sessions.user``."""
        return self.table if self.column is None else f"{self.table}.{self.column}"

    @property
    def query(self) -> str:
        """The SELECT that counts."""
        return f"SELECT COUNT({'*' if self.column is None else _quoted(self.column)}) FROM {_quoted(self.table)}"  # noqa: S608


def counts_of(walk: Walk) -> tuple[Counted, ...]:
    """What to count around a file; nothing where it drops, rebuilds and deletes no table that others refer to."""
    parents = frozenset[str]().union(*(_parents(walk, index) for index in range(len(walk.steps))))
    cascades = frozenset[str]().union(*(step.effect.cascades for step in walk.steps))
    deleted = {table for step in walk.steps if step.effect.verb == "delete" for table in step.effect.targets}
    meant = walk.file.header.loses_rows | deleted
    found = []
    for name, table in sorted(walk.start.items()):
        if name in walk.end and table.kind == walk.end[name].kind == "table" and _at_risk(walk, name, table, parents, cascades):
            found += [Counted(table.name, column, name in meant) for column in dict.fromkeys((None, *_cleared(walk, table, parents)))]
    return tuple(found)


def _parents(walk: Walk, index: int) -> frozenset[str]:
    effect = walk.steps[index].effect
    return effect.drops | (effect.targets if effect.cascades else frozenset())


def _at_risk(walk: Walk, name: str, table: Table, parents: frozenset[str], cascades: frozenset[str]) -> bool:
    return name in cascades or walk.rebuilt(name) or any(reference.table in parents for reference in table.references)


def _cleared(walk: Walk, table: Table, parents: frozenset[str]) -> Iterator[str]:
    """The columns that ON DELETE SET NULL or SET DEFAULT would clear, where they are still there at the end."""
    for reference in table.references:
        if reference.table in parents and reference.on_delete in {"SET NULL", "SET DEFAULT"}:
            for key in reference.columns:
                if key in walk.end[table.name.lower()].columns and key in table.columns:
                    yield table.columns[key].name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
