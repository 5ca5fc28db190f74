"""The rules about single statements: those that SQLite or D1 refuses, those that change whole tables or the ledger (pure)."""

from collections.abc import Iterator

from crane_infra.migrations.files.split import shorten
from crane_infra.migrations.files.tokens import has_word, is_constant, where_of
from crane_infra.migrations.lint.finding import Finding, Level
from crane_infra.migrations.lint.naming import finding, names
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement


def not_understood(trace: FileTrace) -> Iterator[Finding]:
    """Statements that SQLite refuses."""
    for statement in trace.statements:
        reason = statement.effect.refused
        if reason:
            what = f"SQLite refuses it ({reason}), so its effect is unknown: {shorten(statement.effect.sql)}"
            # D1 may run a newer SQLite than lint, with more functions.
            level: Level = "warning" if reason.startswith("no such function") else "error"
            yield finding(trace, statement.number, "not-understood", level, what, _way_on(trace, reason))


def _way_on(trace: FileTrace, reason: str) -> str:
    if reason.startswith("no such table") and not trace.start:
        return (
            "If the folder takes tables for granted that were created before its first file, put their schema into a file, and name it as "
            "base in the catalog, with the number of the last migration that it contains as baseline"
        )
    return "Fix it, unless D1's SQLite is newer and accepts it"


def refused_by_d1(trace: FileTrace) -> Iterator[Finding]:
    """Statements that SQLite takes and D1 refuses."""
    for statement in trace.statements:
        refusal = statement.effect.refused_by_d1
        if refusal:
            what = f"{refusal.reason}: {shorten(statement.effect.sql)}"
            yield finding(trace, statement.number, "refused-by-d1", "error", what, refusal.todo)


def writes_of_the_ledger(trace: FileTrace) -> Iterator[Finding]:
    """Statements that write to the tables in which the runs record the migrations, or change them."""
    for statement in trace.statements:
        if tables := statement.effect.ledger:
            yield _of_the_ledger(trace, statement.number, f"it changes {', '.join(sorted(tables))}")
    for left in trace.unsound:
        if tables := left.unsound.now.ledger:
            number = trace.last_use(left.unsound)
            yield _of_the_ledger(trace, number, f"the trigger {left.unsound.now.name} writes to {', '.join(sorted(tables))}")


def _of_the_ledger(trace: FileTrace, number: int, what: str) -> Finding:
    what = f"{what}, where the runs record which migrations were applied"
    return finding(trace, number, "writes-ledger", "error", what, "Remove the statement: a run records each file itself")


def changes_of_whole_tables(trace: FileTrace) -> Iterator[Finding]:
    """UPDATE and DELETE without WHERE, and statements that take long because they process all rows of a table."""
    for statement in trace.statements:
        effect = statement.effect
        targets = effect.targets & trace.live.keys()
        if effect.verb in {"update", "delete"} and targets and where_of(effect.sql) is None and not _fills_new_columns(trace, statement):
            what = f"{effect.verb.upper()} without WHERE affects every row of {names(trace, targets)}"
            todo = "Add a WHERE; if you mean all rows, write WHERE true"
            yield finding(trace, statement.number, "update-or-delete-without-where", "error", what, todo)
        elif tables := _processed_whole(trace, statement):
            what = f"one statement processes all rows of {names(trace, tables)}, and D1 ends a call after 30 seconds"
            todo = "If the table is large, split the work into several files, each with a WHERE on a range of the key"
            yield finding(trace, statement.number, "long-data-change", "warning", what, todo)


def ignored_pragmas(trace: FileTrace) -> Iterator[Finding]:
    """PRAGMAs that D1 ignores."""
    for statement in trace.statements:
        if statement.effect.pragma == "foreign_keys":
            what = "D1 ignores PRAGMA foreign_keys, so foreign keys stay on, and the file is judged by what it does then"
            yield finding(trace, statement.number, "ignored-pragma", "warning", what, "Remove it when you next write such a file")


def _processed_whole(trace: FileTrace, statement: TracedStatement) -> frozenset[str]:
    """The tables in use whose rows a statement reads or changes without a condition or limit."""
    effect = statement.effect
    if not is_constant(where_of(effect.sql)):
        return frozenset()
    if effect.verb in {"update", "delete"}:
        return frozenset(effect.targets & trace.live.keys())
    copies = effect.fills and has_word(effect.sql, "SELECT") and not has_word(effect.sql, "LIMIT")
    # The copy of a rebuild has to be whole.
    rebuilt = frozenset(name for table in effect.fills if trace.rebuilt(name := trace.becomes(table, statement.number)))
    return frozenset(effect.reads & trace.live.keys()) - rebuilt if copies else frozenset()


def _fills_new_columns(trace: FileTrace, statement: TracedStatement) -> bool:
    """Whether a statement changes only columns that the same file adds, so that it overwrites nothing."""
    updates = statement.effect.updates
    return statement.effect.verb == "update" and bool(updates) and updates <= trace.added_columns(statement.number)
