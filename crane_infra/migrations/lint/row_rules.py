"""The rules about rows that a migration loses although every statement succeeds (pure).

D1 enforces foreign keys and deletes the rows of a table that is dropped, so a rebuild can empty the tables that refer to it.
"""

from collections.abc import Iterator

from crane_infra.migrations.lint.finding import OVERWRITES_ROWS, Finding, Level
from crane_infra.migrations.lint.naming import DOCUMENTED, declaration, dropped, finding, names
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.overwrites import overwriting


def drops_of_referenced_tables(trace: FileTrace) -> Iterator[Finding]:
    """Dropped tables whose rows others refer to."""
    for statement in trace.statements:
        lost = trace.lost_by(statement) - trace.file.header.loses_rows
        if lost and statement.effect.drops:
            yield _loses_by_drop(trace, statement, lost)
        elif statement.effect.drops and statement.blocking and not _settled_by_deferring(trace, statement):
            children = names(trace, statement.blocking)
            what = f"rows of {children} refer to {dropped(trace, statement)}, and D1 fails the file as long as there are any"
            todo = f"Copy and drop the tables that refer to it first; {DOCUMENTED}"
            yield finding(trace, statement.number, _drop_rule(trace, statement), "warning", what, todo)


def replaced_tables(trace: FileTrace) -> Iterator[Finding]:
    """Tables that are dropped with their rows, and created again without them."""
    kept = _carriers(trace)
    for statement in trace.statements:
        name = statement.replaced
        if statement.drops_rows and trace.rebuilt(name) and name not in kept[name] and name not in trace.file.header.loses_rows:
            shown = trace.named(name)
            what = f"it drops {shown} with its rows, and creates another {shown} without them"
            todo = (
                f"Copy the rows to the new table before the drop ({DOCUMENTED}); "
                f"if they may go, declare {declaration(trace, frozenset({name}))}"
            )
            yield finding(trace, statement.number, "replaces-table", "error", what, todo)


def _carriers(trace: FileTrace) -> dict[str, set[str]]:
    """By the name at the start of each table that the file drops, the tables at the end that got rows of it."""
    carriers = {statement.replaced: {statement.replaced} for statement in trace.statements if statement.drops_rows}
    for effect in (statement.effect for statement in trace.statements if carriers):
        for names_of in carriers.values():
            if effect.renames and effect.renames[0] in names_of:
                names_of.add(effect.renames[1])
            names_of.difference_update([name for name in effect.changed if name not in effect.after])
            if effect.sources & names_of:
                names_of.update(effect.fills)
    return carriers


def broken_references(trace: FileTrace) -> Iterator[Finding]:
    """References that a drop leaves without a table, or that a rename moves to another table."""
    referring = frozenset(trace.changed).union(*(statement.effect.children for statement in trace.statements))
    for name in sorted(referring & trace.end.keys()):
        table, origin = trace.end[name], trace.origin(name)
        before = trace.start[origin].references if origin else ()
        for reference in table.references:
            drop = next((statement for statement in trace.statements if reference.table in statement.effect.drops), None)
            if drop and reference.table not in trace.end:
                what = f"{table.name} still refers to {dropped(trace, drop)}, so writes to {table.name} fail"
                todo = f"Rebuild {table.name} without that reference first"
                yield finding(trace, drop.number, _drop_rule(trace, drop), "error", what, todo)
            was = next((old.table for old in before if old.columns == reference.columns), reference.table)
            # A table that refers to itself still does under its new name.
            if was not in {reference.table, origin} and trace.rebuilt(was) and trace.origin(reference.table) == was:
                at = trace.when(lambda tables, new=reference.table: new in tables)  # type: ignore[misc]
                what = f"the rename makes {table.name} refer to {trace.named(reference.table)} instead of {trace.named(was)}"
                todo = f"Do not rename a table that others refer to: create the new one under another name; {DOCUMENTED}"
                yield finding(trace, at, "rebuilds-referenced-table", "error", what, todo)


def deletes_of_referenced_rows(trace: FileTrace) -> Iterator[Finding]:
    """Deleted or replaced rows whose children are deleted with them."""
    for statement in trace.statements:
        lost = trace.lost_by(statement) - trace.file.header.loses_rows
        if lost and not statement.effect.drops:
            targets, children = names(trace, statement.effect.targets), names(trace, lost)
            what = f"deleting or replacing rows of {targets} also deletes rows of {children}, or clears references in them (ON DELETE)"
            todo = f"Update the rows instead (INSERT … ON CONFLICT DO UPDATE, with -- crane: overwrites-rows), or declare {declaration(trace, lost)}"
            yield finding(trace, statement.number, "deletes-referenced-rows", _level(statement, lost), what, todo)


def overwritten_rows(trace: FileTrace) -> Iterator[Finding]:
    """Rows that are there and that REPLACE or ON CONFLICT DO UPDATE writes over."""
    for statement in trace.statements:
        tables = statement.overwrites - trace.file.header.overwrites_rows
        if tables:
            shown, how = names(trace, tables), overwriting(statement.effect)
            what = (
                f"REPLACE deletes each row of {shown} that has the same key or unique value, with all its columns"
                if how == "replace"
                else f"ON CONFLICT DO UPDATE writes over rows of {shown} that are there"
            )
            todo = f"Write ON CONFLICT DO NOTHING to keep them; if they may be overwritten, declare {declaration(trace, tables, OVERWRITES_ROWS)}"
            yield finding(trace, statement.number, OVERWRITES_ROWS, "error", what, todo)


def needless_declarations(trace: FileTrace) -> Iterator[Finding]:
    """Tables that the file declares with ``loses-rows`` or ``overwrites-rows`` although it does neither."""
    losing = (
        statement.lost | statement.effect.drops | statement.effect.deleted_by_triggers | _deleted_from(statement)
        for statement in trace.statements
    )
    if needless := trace.file.header.loses_rows - frozenset[str]().union(*losing):
        what = f"it declares loses-rows {names(trace, needless)} but loses no rows there"
        yield finding(trace, None, "needless-loses-rows", "warning", what, "Remove the name, or correct it")
    overwritten = (
        (statement.effect.targets if overwriting(statement.effect) else frozenset()) | statement.effect.replaced_by_triggers
        for statement in trace.statements
    )
    if needless := trace.file.header.overwrites_rows - frozenset[str]().union(*overwritten):
        what = f"it declares overwrites-rows {names(trace, needless)} but overwrites no rows there"
        yield finding(trace, None, "needless-overwrites-rows", "warning", what, "Remove the name, or correct it")


def _loses_by_drop(trace: FileTrace, statement: TracedStatement, lost: frozenset[str]) -> Finding:
    deferred = ", and PRAGMA defer_foreign_keys does not prevent that" if _is_deferred(trace, statement) else ""
    table, children = dropped(trace, statement), names(trace, lost)
    what = f"dropping {table} also deletes rows of {children}, or clears references in them (ON DELETE){deferred}"
    todo = f"Copy and drop the tables that refer to it first ({DOCUMENTED}); if these rows may go, declare {declaration(trace, lost)}"
    return finding(trace, statement.number, _drop_rule(trace, statement), _level(statement, lost), what, todo)


def _level(statement: TracedStatement, lost: frozenset[str]) -> Level:
    """A warning where only rows are lost that pending files wrote: no user's rows."""
    return "warning" if lost <= statement.own else "error"


def _settled_by_deferring(trace: FileTrace, statement: TracedStatement) -> bool:
    # With the check deferred, rows in a new table of the old name satisfy it, and so does dropping the rows that refer to it; a table that is
    # renamed to the old name does not.
    later = trace.statements[statement.number :]
    renamed = any(other.effect.renames and other.effect.renames[1] == statement.replaced for other in later)
    is_there = statement.replaced in trace.end and not renamed
    is_dropped = all(not trace.becomes(child, statement.number) for child in statement.blocking)
    return _is_deferred(trace, statement) and (is_there or is_dropped)


def _is_deferred(trace: FileTrace, statement: TracedStatement) -> bool:
    return any(other.effect.pragma == "defer_foreign_keys" for other in trace.statements[: statement.number])


def _drop_rule(trace: FileTrace, statement: TracedStatement) -> str:
    return "rebuilds-referenced-table" if statement.replaced in trace.end else "drops-referenced-table"


def _deleted_from(statement: TracedStatement) -> frozenset[str]:
    return statement.effect.targets if statement.effect.verb == "delete" else frozenset()
