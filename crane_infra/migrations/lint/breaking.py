"""Finds what a migration takes away from the tables that traffic uses, by comparing each table before and after the file (pure).

A file is one transaction, so traffic sees only its result; a column that a rebuild leaves out counts as dropped.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from crane_infra.migrations.lint.emptied import copies_into, emptied_columns
from crane_infra.migrations.sqlite.effects import FileTrace
from crane_infra.migrations.sqlite.keys import UniqueKey, keeps_apart
from crane_infra.migrations.sqlite.tables import Column, Table, Tables, affinity
from crane_infra.migrations.sqlite.tightening import is_never_null, tightening_checks

_LATER = "Do it in a release of its own, once no version in traffic needs the old schema"


class Change(NamedTuple):
    """Something that the version in traffic may need: the rule about it, the number of the statement, and the table (in lower case)."""

    rule: str
    statement: int
    table: str
    what: str
    todo: str = _LATER
    keeps_column: bool = False
    """Whether only values go, and the column stays."""


def takings(trace: FileTrace) -> tuple[Change, ...]:
    """Everything that a file takes away, in the order of its statements."""
    known = [name for name in trace.changed if name in trace.start and name in trace.live]
    changes = [change for name in known for change in _of_table(trace, name, trace.start[name])]
    changes += _triggers(trace)
    return tuple(sorted(changes, key=lambda change: change.statement))


def additions(trace: FileTrace, name: str) -> dict[str, Column]:
    """The columns that a table has at the end of a file and did not have at its start under any name."""
    if name not in trace.start or name not in trace.end:
        return {}
    renamed = set(renamed_columns(trace, name).values())
    return {key: column for key, column in trace.end[name].columns.items() if key not in trace.start[name].columns and key not in renamed}


def given_columns(trace: FileTrace, name: str) -> frozenset[str]:
    """The new columns of a rebuilt table that are NOT NULL without a default, and for which each copy of its rows gives a value."""
    added = additions(trace, name) if trace.rebuilt(name) else {}
    required = {key for key, column in added.items() if column.not_null and column.default is None and not column.automatic}
    copies = [statement.effect.copy for statement in copies_into(trace, name) if statement.effect.copy] if required else []
    return frozenset(key for key in required if copies and all(key in copy.into for copy in copies))


def _of_table(trace: FileTrace, name: str, old: Table) -> Iterator[Change]:
    new = trace.end.get(name)
    if new is None:
        yield _gone(trace, name, old)
        return
    if old.kind == "view" and not new.columns and old.columns:
        yield Change(
            "drops-table",
            trace.when(lambda tables: name not in tables or not tables[name].columns),
            name,
            f"leaves the view {old.name} without its table",
        )
        return
    yield from _columns(trace, name, old, new)
    if old.kind != "view" and new.kind != "view":
        yield from _types(trace, name, old, new)
        yield from _tightened(trace, name, old, new)
        yield from _unique_keys(trace, name, old, new)


def _triggers(trace: FileTrace) -> Iterator[Change]:
    for left in trace.left_behind:
        table = left.attached.table
        if left.is_named and left.attached.kind == "trigger" and (table in trace.end or trace.renamed_to(table)):
            what = f"drops the trigger {left.attached.name} of {trace.named(table)}"
            yield Change("drops-trigger", left.statement.number, table, what)


def _unique_keys(trace: FileTrace, name: str, old: Table, new: Table) -> Iterator[Change]:
    """The unique keys that go, so that ON CONFLICT on them fails; not those whose columns go or are renamed, which is told anyway."""
    for key in sorted(old.unique, key=lambda key: key.text):
        if key.columns <= new.columns.keys() and not any(_serves(now, key) for now in new.unique):
            at = trace.when(lambda tables, key=key: name not in tables or key not in tables[name].unique)  # type: ignore[misc]
            what = f"drops the unique key {key.text} of {old.name}, which ON CONFLICT and foreign keys need"
            yield Change("drops-unique-key", at, name, what)


def _serves(now: UniqueKey, before: UniqueKey) -> bool:
    return (now.columns, now.expressions) == (before.columns, before.expressions) and now.conditions <= before.conditions


def _gone(trace: FileTrace, name: str, old: Table) -> Change:
    at = trace.when(lambda tables: name not in tables)
    if now := trace.renamed_to(name):
        what = f"renames {old.name}, which the version in traffic uses, to {trace.named(now)}"
        return Change(
            "renames-table", at, name, what, "Create the new table beside it, write to both, and drop the old one in a later release"
        )
    kind = "the view" if old.kind == "view" else "the table"
    return Change("drops-table", at, name, f"drops {kind} {old.name}")


def _columns(trace: FileTrace, name: str, old: Table, new: Table) -> Iterator[Change]:
    renamed = renamed_columns(trace, name)
    for key, at in emptied_columns(trace, name) if old.kind == new.kind == "table" else ():
        what = f"drops the values of the column {old.columns[key].name} of {old.name}, and keeps the column"
        yield Change("drops-column", at, name, what, "Copy the values, or do it once no version in traffic needs them", keeps_column=True)
    for key, column in old.columns.items():
        if key in new.columns:
            continue
        at = trace.when(partial(_lacks, name, key))
        if renamed.get(key) in new.columns:
            what = f"renames the column {column.name} of {old.name} to {new.columns[renamed[key]].name}"
            yield Change("renames-column", at, name, what, "Add the new column, write to both, and drop the old one in a later release")
        else:
            yield Change("drops-column", at, name, f"drops the column {column.name} of {old.name}")


def renamed_columns(trace: FileTrace, name: str) -> dict[str, str]:
    """The columns of a table at the start of a file by their names then, each with its name at the end, if it is renamed."""
    renamed = dict[str, str]()
    for statement in trace.statements:
        before, after = statement.effect.before.get(name), statement.effect.after.get(name)
        if not before or not after:
            renamed = {}  # rebuilt: earlier renames were of another table
            continue
        gone, new = before.columns.keys() - after.columns.keys(), after.columns.keys() - before.columns.keys()
        if len(gone) == len(new) == 1 and before.kind != "view":
            last, now = gone.pop(), new.pop()
            renamed[next((first for first, current in renamed.items() if current == last), last)] = now
    return renamed


def _types(trace: FileTrace, name: str, old: Table, new: Table) -> Iterator[Change]:
    for key, column in old.columns.items():
        if key in new.columns and _type(old, key) != _type(new, key):
            at = trace.when(partial(_types_otherwise, name, key, _type(old, key)))
            was, now = column.type or "no type", new.columns[key].type or "no type"
            yield Change("changes-type", at, name, f"changes the column {column.name} of {old.name} from {was} to {now}")


def _tightened(trace: FileTrace, name: str, old: Table, new: Table) -> Iterator[Change]:
    for key in new_keys(trace, name, old, new):
        at = trace.when(lambda tables, key=key: name not in tables or key in tables[name].unique)  # type: ignore[misc]
        todo = "First look for rows with equal values, and release code that no longer writes them"
        rule = "tightens-constraint" if trace.rebuilt(name) else "adds-unique-index"
        yield Change(rule, at, name, f"makes {key.text} of {old.name} unique, which fails if existing rows have equal values", todo)
    at = trace.when(lambda tables: name not in tables)
    for what in _stricter(old, new, trace.named) if trace.rebuilt(name) else ():
        yield Change("tightens-constraint", at, name, f"{what} in {old.name}")
    for column in sorted(given_columns(trace, name)):
        what = f"adds the column {new.columns[column].name} to {old.name} as NOT NULL without a default, so rows that the version in traffic adds fail"
        yield Change("tightens-constraint", at, name, what, "Give it a DEFAULT, or release code that writes it first")


def new_keys(trace: FileTrace, name: str, old: Table, new: Table) -> Iterator[UniqueKey]:
    """The unique keys that existing rows may break."""
    added = frozenset(key for key, column in additions(trace, name).items() if column.default is None)
    renamed = set(renamed_columns(trace, name).values())
    for key in sorted(new.unique - old.unique, key=lambda key: key.text):
        known = key.columns & renamed or any(key.follows_from(before) for before in old.unique)
        if not known and not keeps_apart(key, added):
            yield key


def _stricter(old: Table, new: Table, named: Callable[[str], str]) -> Iterator[str]:
    for key, column in old.columns.items():
        now = new.columns.get(key)
        if now and now.not_null and not column.not_null and not now.automatic and not is_never_null(key, old, new):
            yield f"makes the column {column.name} NOT NULL"
        elif now and now.not_null and column.default is not None and now.default is None:
            yield f"removes the default of the column {column.name}"
    for check in tightening_checks(old, new):
        yield f"adds CHECK ({check.text})"
    before = {(reference.table, reference.columns) for reference in old.references}
    for reference in new.references:
        if (reference.table, reference.columns) not in before and set(reference.columns) <= old.columns.keys():
            columns = ", ".join(new.columns[key].name for key in reference.columns)
            yield f"makes {columns} refer to {named(reference.table)}"
    if new.strict and not old.strict:
        yield "makes types STRICT"


def _lacks(name: str, key: str, tables: Tables) -> bool:
    return name not in tables or key not in tables[name].columns


def _types_otherwise(name: str, key: str, kind: tuple[str, bool], tables: Tables) -> bool:
    return _lacks(name, key, tables) or _type(tables[name], key) != kind


def _type(table: Table, key: str) -> tuple[str, bool]:
    column = table.columns[key]
    declared = column.type.upper()
    return declared if table.strict else affinity(declared), column.automatic and declared != "INTEGER"
