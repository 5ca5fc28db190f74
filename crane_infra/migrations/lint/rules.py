"""The rules of lint, each a function from what a file does to findings (pure). docs/lint.md shows each with an example.

Prevents what D1 lets pass with success: children emptied by a rebuild of their parent, every row changed for want of a WHERE, and a shape
taken away that the version in traffic still needs.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from crane_infra.migrations.files import split
from crane_infra.migrations.files.tokens import always, condition, has_word
from crane_infra.migrations.lint.breaking import Change, additions, takings
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.sqlite.effects import Step, Walk
from crane_infra.migrations.sqlite.trial import refusal_with_a_row

Level = Literal["error", "warning"]
_READING = {"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "quick_check", "data_version"}
_READING |= {"table_info", "table_list", "table_xinfo", "optimize"}
_TOGGLES = {"case_sensitive_like", "defer_foreign_keys", "ignore_check_constraints", "legacy_alter_table", "recursive_triggers"}
_TAKEN = _READING | _TOGGLES | {"reverse_unordered_selects"}  # cloudflare/workerd src/workerd/util/sqlite.c++, its list of allowed pragmas
_SHOWN = "docs/lint.md shows how"


def judge(walk: Walk) -> Iterator[Finding]:
    """Everything that is wrong with one file, taken alone."""
    for rule in _RULES:
        yield from rule(walk)


def judge_together(walks: Sequence[Walk]) -> Iterator[Finding]:
    """What is wrong with files only because they run in one release."""
    for index, walk in enumerate(walks):
        first = {change.table: change for change in reversed(takings(walk))}
        for table, change in first.items():
            before = next((other for other in walks[:index] if _leads_to(other, table)), None)
            if before is not None:
                yield _with_expand(walk, change, before.file.path)


def _not_understood(walk: Walk) -> Iterator[Finding]:
    for step in walk.steps:
        if step.effect.refused:
            what = f"SQLite refuses it ({step.effect.refused}), so nobody knows what it does: {split.shorten(step.effect.statement)}"
            # D1 may run a newer SQLite than this machine, which knows more functions.
            level: Level = "warning" if step.effect.refused.startswith("no such function") else "error"
            yield _finding(walk, step.number, "not-understood", level, what, "Correct it, unless D1's SQLite is newer and knows it")


def _referenced(walk: Walk) -> Iterator[Finding]:
    for step in walk.steps:
        lost = step.lost - walk.file.header.loses_rows
        if lost and step.effect.drops:
            yield _loses_by_drop(walk, step, lost)
        elif step.effect.drops and step.blocking and not _settled_by_deferring(walk, step):
            what = f"rows of {_names(walk, step.blocking)} refer to {_dropped(walk, step)}, and D1 fails the file while there are any"
            yield _finding(walk, step.number, _drop_rule(walk, step), "warning", what, f"Copy and drop what refers to it first; {_SHOWN}")


def _loses_by_drop(walk: Walk, step: Step, lost: frozenset[str]) -> Finding:
    deferred = any(other.effect.pragma == "defer_foreign_keys" for other in walk.steps[: step.number])
    more = ", and PRAGMA defer_foreign_keys does not stop that" if deferred else ""
    what = f"dropping {_dropped(walk, step)} also deletes rows of {_names(walk, lost)}, or the references in them (ON DELETE){more}"
    todo = f"Copy and drop what refers to it first ({_SHOWN}); if these rows may go, say {_declaration(walk, lost)}"
    return _finding(walk, step.number, _drop_rule(walk, step), "error", what, todo)


def _astray(walk: Walk) -> Iterator[Finding]:
    for name, table in walk.end.items():
        before = walk.start[walk.origin[name]].references if name in walk.origin else ()
        for reference in table.references:
            gone = next((step for step in walk.steps if reference.table in step.effect.drops), None)
            if gone and reference.table not in walk.end:
                what = f"{table.name} still refers to {_dropped(walk, gone)}, so that writes to {table.name} fail"
                yield _finding(
                    walk, gone.number, _drop_rule(walk, gone), "error", what, f"Rebuild {table.name} without that reference first"
                )
            was = next((old.table for old in before if old.columns == reference.columns), reference.table)
            if was != reference.table and walk.rebuilt(was) and walk.origin.get(reference.table) == was:
                at = walk.when(lambda tables, new=reference.table: new in tables)  # type: ignore[misc]
                what = f"the rename makes {table.name} refer to {walk.named(reference.table)} instead of {walk.named(was)}"
                todo = f"Rename no table that others refer to: make the new one under another name; {_SHOWN}"
                yield _finding(walk, at, "rebuilds-referenced-table", "error", what, todo)


def _deletes(walk: Walk) -> Iterator[Finding]:
    for step in walk.steps:
        lost = step.lost - walk.file.header.loses_rows
        if lost and not step.effect.drops:
            targets = _names(walk, step.effect.targets)
            what = (
                f"deleting or replacing rows of {targets} also deletes rows of {_names(walk, lost)}, or the references in them (ON DELETE)"
            )
            todo = f"Update instead (INSERT … ON CONFLICT DO UPDATE), or say {_declaration(walk, lost)}"
            yield _finding(walk, step.number, "deletes-referenced-rows", "error", what, todo)


def _needless(walk: Walk) -> Iterator[Finding]:
    lost = frozenset[str]().union(*(step.lost | step.effect.drops | _deleted(step) for step in walk.steps))
    if needless := walk.file.header.loses_rows - lost:
        what = f"it declares loses-rows {_names(walk, needless)}, and loses none there"
        yield _finding(walk, None, "needless-loses-rows", "warning", what, "Take the name out, or correct it")


def _taken(walk: Walk) -> Iterator[Finding]:
    changes = takings(walk)
    for change in changes:
        yield _finding(walk, change.statement, change.rule, "warning", change.what, change.todo)
    kind = walk.file.header.kind
    if changes and kind != "contract":
        what = f"it {changes[0].what}, and {'says -- crane: expand' if kind else 'does not say so'}"
        todo = "Write -- crane: contract at its top, and release it after the code that no longer needs the old shape"
        yield _finding(walk, changes[0].statement, "contract-not-declared", "error", what, todo)


def _mixed(walk: Walk) -> Iterator[Finding]:
    for change in takings(walk):
        if change.rule == "drops-column" and (added := additions(walk, change.table)):
            new = ", ".join(column.name for column in added.values())
            what = f"it {change.what} and adds {new} in the same file: the version in traffic needs the one, the next one the other"
            todo = "Add in this release, and drop in a later one, with -- crane: contract"
            yield _finding(walk, change.statement, "contract-with-expand", "error", what, todo)
            return


def _not_null(walk: Walk) -> Iterator[Finding]:
    for name in walk.live:
        for key, column in additions(walk, name).items():
            if column.not_null and column.default is None and not column.automatic:
                at = walk.when(lambda tables, name=name, key=key: name in tables and key in tables[name].columns)  # type: ignore[misc]
                what = f"adds the column {column.name} to {walk.named(name)}: NOT NULL without a default fails on rows that are there, "
                what += "and on each row that the version in traffic adds"
                todo = "Give it a DEFAULT, or let it be NULL"
                yield _finding(walk, at, "adds-not-null-without-default", "error", what, todo)


def _fails_on_rows(walk: Walk) -> Iterator[Finding]:
    for step in walk.steps:
        for name in walk.live:
            before = step.effect.before.get(name)
            if before and _grows(step, name) and (refusal := refusal_with_a_row(step.effect.statement, before)):
                what = f"SQLite refuses it where {before.name} has rows: {refusal}"
                todo = "Add the column with a constant default or none, and fill it in a statement after that"
                yield _finding(walk, step.number, "fails-on-rows", "error", what, todo)


def _grows(step: Step, name: str) -> bool:
    before, after = step.effect.before.get(name), step.effect.after.get(name)
    if before is None or after is None or before.kind != "table" or not before.columns.keys() < after.columns.keys():
        return False
    return all(not column.not_null or column.default is not None for key, column in after.columns.items() if key not in before.columns)


def _without_where(walk: Walk) -> Iterator[Finding]:
    for step in walk.steps:
        effect, wanted = step.effect, condition(step.effect.statement)
        known = effect.targets & walk.live.keys()
        if effect.verb in {"update", "delete"} and known and wanted is None:
            what = f"{effect.verb.upper()} without WHERE is for every row of {_names(walk, known)}"
            todo = "Say which rows; if it is all of them, write WHERE true"
            yield _finding(walk, step.number, "update-or-delete-without-where", "error", what, todo)
        elif source := _sources(walk, step):
            what = f"one statement goes over all rows of {_names(walk, source)}, and D1 ends a call after 30 seconds"
            todo = "Where it is large, do it in parts: several files, each with a WHERE on a range of the key"
            yield _finding(walk, step.number, "long-data-change", "warning", what, todo)


def _sources(walk: Walk, step: Step) -> frozenset[str]:
    effect = step.effect
    if not always(condition(effect.statement)):
        return frozenset()
    if effect.verb in {"update", "delete"}:
        return frozenset(effect.targets & walk.live.keys())
    copies = effect.fills and has_word(effect.statement, "SELECT") and not has_word(effect.statement, "LIMIT")
    return frozenset(effect.reads & walk.live.keys()) if copies else frozenset()


def _pragmas(walk: Walk) -> Iterator[Finding]:
    for step in walk.steps:
        if step.effect.pragma == "foreign_keys":
            todo = "Take it out; deleting a parent deletes its children all the same"
            yield _finding(walk, step.number, "ignored-pragma", "error", "D1 ignores PRAGMA foreign_keys", todo)
        elif step.effect.pragma and step.effect.pragma not in _TAKEN:
            what = f"D1 does not take PRAGMA {step.effect.pragma}"
            yield _finding(walk, step.number, "ignored-pragma", "warning", what, "Take it out")


_RULES: tuple[Callable[[Walk], Iterator[Finding]], ...] = (
    _not_understood,
    _referenced,
    _astray,
    _deletes,
    _needless,
    _taken,
    _mixed,
    _not_null,
    _fails_on_rows,
    _without_where,
    _pragmas,
)


def _with_expand(walk: Walk, change: Change, before: str) -> Finding:
    what = f"it {change.what}, and {before} of the same release prepares that: the version in traffic still needs the old shape"
    todo = f"Release {before} first, with the code that no longer needs the old shape, and this file after it"
    return _finding(walk, change.statement, "contract-with-expand", "error", what, todo)


def _leads_to(walk: Walk, table: str) -> bool:
    return table in walk.touched | walk.read and table not in {change.table for change in takings(walk)}


def _settled_by_deferring(walk: Walk, step: Step) -> bool:
    # With the check deferred, rows put into a table made under the old name settle it; a rename into its place does not.
    deferred = any(other.effect.pragma == "defer_foreign_keys" for other in walk.steps[: step.number])
    renamed = any(other.effect.renames and other.effect.renames[1] == step.replaced for other in walk.steps[step.number :])
    return deferred and step.replaced in walk.end and not renamed


def _drop_rule(walk: Walk, step: Step) -> str:
    return "rebuilds-referenced-table" if step.replaced in walk.end else "drops-referenced-table"


def _dropped(walk: Walk, step: Step) -> str:
    return _names(walk, step.effect.drops)


def _deleted(step: Step) -> frozenset[str]:
    return step.effect.targets if step.effect.verb == "delete" else frozenset()


def _declaration(walk: Walk, tables: frozenset[str]) -> str:
    return f"-- crane: loses-rows {_names(walk, tables)}"


def _names(walk: Walk, tables: frozenset[str]) -> str:
    return ", ".join(walk.named(table) for table in sorted(tables))


def _finding(walk: Walk, statement: int | None, rule: str, level: Level, what: str, todo: str) -> Finding:
    return Finding(walk.file.path, statement, rule, level, what, todo)
