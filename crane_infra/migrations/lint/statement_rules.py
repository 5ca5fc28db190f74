"""The rules about single statements: those SQLite refuses, those that change whole tables, and PRAGMAs that D1 ignores (pure)."""

from collections.abc import Iterator

from crane_infra.migrations.files.split import shorten
from crane_infra.migrations.files.tokens import has_word, is_constant, where_of
from crane_infra.migrations.lint.finding import Finding, Level
from crane_infra.migrations.lint.naming import finding, names
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement

_READING = {"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "quick_check", "data_version"}
_READING |= {"table_info", "table_list", "table_xinfo", "optimize"}
_TOGGLES = {"case_sensitive_like", "defer_foreign_keys", "ignore_check_constraints", "legacy_alter_table", "recursive_triggers"}
# The allowed PRAGMAs of cloudflare/workerd, src/workerd/util/sqlite.c++.
_SUPPORTED = _READING | _TOGGLES | {"reverse_unordered_selects"}


def not_understood(trace: FileTrace) -> Iterator[Finding]:
    """Statements that SQLite refuses."""
    for statement in trace.statements:
        reason = statement.effect.refused
        if reason:
            what = f"SQLite refuses it ({reason}), so its effect is unknown: {shorten(statement.effect.sql)}"
            # D1 may run a newer SQLite than this machine, with more functions.
            level: Level = "warning" if reason.startswith("no such function") else "error"
            yield finding(trace, statement.number, "not-understood", level, what, _way_on(trace, reason))


def _way_on(trace: FileTrace, reason: str) -> str:
    if reason.startswith("no such table") and not trace.start:
        return (
            "If the folder takes tables for granted that were created before its first file, put their schema into a file, and name it as "
            "base in the catalog, with the number of the last migration that it contains as baseline"
        )
    return "Fix it, unless D1's SQLite is newer and accepts it"


def changes_of_whole_tables(trace: FileTrace) -> Iterator[Finding]:
    """UPDATE and DELETE without WHERE, and statements that take long because they process all rows of a table."""
    for statement in trace.statements:
        effect = statement.effect
        targets = effect.targets & trace.live.keys()
        if effect.verb in {"update", "delete"} and targets and where_of(effect.sql) is None:
            what = f"{effect.verb.upper()} without WHERE affects every row of {names(trace, targets)}"
            todo = "Add a WHERE; if you mean all rows, write WHERE true"
            yield finding(trace, statement.number, "update-or-delete-without-where", "error", what, todo)
        elif tables := _processed_whole(trace, statement):
            what = f"one statement processes all rows of {names(trace, tables)}, and D1 ends a call after 30 seconds"
            todo = "If the table is large, split the work into several files, each with a WHERE on a range of the key"
            yield finding(trace, statement.number, "long-data-change", "warning", what, todo)


def ignored_pragmas(trace: FileTrace) -> Iterator[Finding]:
    """PRAGMAs that D1 ignores or does not support."""
    for statement in trace.statements:
        pragma = statement.effect.pragma
        if pragma == "foreign_keys":
            what = "D1 ignores PRAGMA foreign_keys, so foreign keys stay on, and the file is judged by what it does then"
            yield finding(trace, statement.number, "ignored-pragma", "warning", what, "Remove it when you next write such a file")
        elif pragma and pragma not in _SUPPORTED:
            yield finding(trace, statement.number, "ignored-pragma", "warning", f"D1 does not support PRAGMA {pragma}", "Remove it")


def _processed_whole(trace: FileTrace, statement: TracedStatement) -> frozenset[str]:
    """The tables in use whose rows a statement reads or changes without a condition or limit."""
    effect = statement.effect
    if not is_constant(where_of(effect.sql)):
        return frozenset()
    if effect.verb in {"update", "delete"}:
        return frozenset(effect.targets & trace.live.keys())
    copies = effect.fills and has_word(effect.sql, "SELECT") and not has_word(effect.sql, "LIMIT")
    return frozenset(effect.reads & trace.live.keys()) if copies else frozenset()
