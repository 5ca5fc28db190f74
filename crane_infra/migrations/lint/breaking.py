"""What a migration takes away from the tables that traffic uses, from comparing each table before and after the file (pure).

A file is one transaction, so traffic sees only its end. Prevents a column that a rebuild leaves out from being missed because no statement
says DROP COLUMN.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from crane_infra.migrations.sqlite.effects import Walk
from crane_infra.migrations.sqlite.tables import Column, Table, Tables, affinity

_LATER = "Do it in a release of its own, once no version in traffic needs the old shape"


@dataclass(frozen=True)
class Change:
    """Something that the version in traffic can miss: which rule speaks of it, at which statement, of which table (in lower case)."""

    rule: str
    statement: int
    table: str
    what: str
    todo: str = _LATER


def takings(walk: Walk) -> tuple[Change, ...]:
    """Everything that a file takes away, in the order of its statements."""
    known = [(name, table) for name, table in walk.start.items() if name in walk.live]
    found = [change for name, table in known for change in _of_table(walk, name, table)]
    return tuple(sorted(found, key=lambda change: change.statement))


def additions(walk: Walk, name: str) -> dict[str, Column]:
    """The columns that a table has at the end of a file and had under no name at its start."""
    if name not in walk.start or name not in walk.end:
        return {}
    renamed = set(_renamed(walk, name).values())
    return {key: column for key, column in walk.end[name].columns.items() if key not in walk.start[name].columns and key not in renamed}


def _of_table(walk: Walk, name: str, old: Table) -> Iterator[Change]:
    new = walk.end.get(name)
    if new is None:
        yield _gone(walk, name, old)
        return
    if old.kind == "view" and not new.columns and old.columns:
        yield Change(
            "drops-table",
            walk.when(lambda tables: name not in tables or not tables[name].columns),
            name,
            f"leaves the view {old.name} without its table",
        )
        return
    yield from _columns(walk, name, old, new)
    if old.kind != "view" and new.kind != "view":
        yield from _types(walk, name, old, new)
        yield from _tightened(walk, name, old, new)


def _gone(walk: Walk, name: str, old: Table) -> Change:
    at = walk.when(lambda tables: name not in tables)
    now = next((new for new, origin in walk.origin.items() if origin == name), None)
    if now is not None:
        what = f"renames {old.name} to {walk.named(now)}, and the version in traffic asks for {old.name}"
        return Change(
            "renames-table", at, name, what, "Make the new table beside it, write to both, and drop the old one in a later release"
        )
    kind = "the view" if old.kind == "view" else "the table"
    return Change("drops-table", at, name, f"drops {kind} {old.name}")


def _columns(walk: Walk, name: str, old: Table, new: Table) -> Iterator[Change]:
    renamed = _renamed(walk, name)
    for key, column in old.columns.items():
        if key in new.columns:
            continue
        at = walk.when(partial(_lacks, name, key))
        if renamed.get(key) in new.columns:
            what = f"renames the column {column.name} of {old.name} to {new.columns[renamed[key]].name}"
            yield Change("renames-column", at, name, what, "Add the new column, write to both, and drop the old one in a later release")
        else:
            yield Change("drops-column", at, name, f"drops the column {column.name} of {old.name}")


def _renamed(walk: Walk, name: str) -> dict[str, str]:
    renamed = dict[str, str]()
    for step in walk.steps:
        before, after = step.effect.before.get(name), step.effect.after.get(name)
        if not before or not after:
            renamed = {}  # rebuilt: what came before is another table's
            continue
        gone, new = before.columns.keys() - after.columns.keys(), after.columns.keys() - before.columns.keys()
        if len(gone) == len(new) == 1 and before.kind != "view":
            last, now = gone.pop(), new.pop()
            renamed[next((first for first, current in renamed.items() if current == last), last)] = now
    return renamed


def _types(walk: Walk, name: str, old: Table, new: Table) -> Iterator[Change]:
    for key, column in old.columns.items():
        if key in new.columns and _type(old, key) != _type(new, key):
            at = walk.when(partial(_types_otherwise, name, key, _type(old, key)))
            was, now = column.type or "no type", new.columns[key].type or "no type"
            yield Change("changes-type", at, name, f"changes the column {column.name} of {old.name} from {was} to {now}")


def _tightened(walk: Walk, name: str, old: Table, new: Table) -> Iterator[Change]:
    for key in _new_keys(walk, name, old, new):
        at = walk.when(lambda tables, key=key: name not in tables or key in tables[name].unique)  # type: ignore[misc]
        columns = ", ".join(sorted(key))
        todo = "Look for rows that are equal there first; release the code that writes no more of them before it"
        rule = "tightens-constraint" if walk.rebuilt(name) else "adds-unique-index"
        yield Change(rule, at, name, f"makes {columns} of {old.name} unique, which fails on rows that are equal there", todo)
    at = walk.when(lambda tables: name not in tables)
    for what in _stricter(old, new) if walk.rebuilt(name) else ():
        yield Change("tightens-constraint", at, name, f"{what} in {old.name}")


def _new_keys(walk: Walk, name: str, old: Table, new: Table) -> Iterator[frozenset[str]]:
    # Rows that are there have NULL in a column that is new and has no default, and NULLs are never equal.
    apart = {key for key, column in additions(walk, name).items() if column.default is None}
    for key in sorted(new.unique - old.unique, key=sorted):
        if not key & apart and not any(before <= key for before in old.unique) and not key & set(_renamed(walk, name).values()):
            yield key


def _stricter(old: Table, new: Table) -> Iterator[str]:
    for key, column in old.columns.items():
        now = new.columns.get(key)
        if now and now.not_null and not column.not_null and not now.automatic:
            yield f"makes the column {column.name} NOT NULL"
        elif now and now.not_null and column.default is not None and now.default is None:
            yield f"takes the default of the column {column.name} away"
    for check in sorted(new.checks - old.checks):
        yield f"adds CHECK ({check})"
    before = {(reference.table, reference.columns) for reference in old.references}
    for reference in new.references:
        if (reference.table, reference.columns) not in before and set(reference.columns) <= old.columns.keys():
            yield f"makes {', '.join(reference.columns)} refer to {reference.table}"
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
