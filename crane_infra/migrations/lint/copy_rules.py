"""The rules about copies of rows that put values elsewhere: columns in another order, and ids that are used again (pure)."""

from collections.abc import Iterator, Sequence

from crane_infra.migrations.files.tokens import Token, code, unquoted
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.naming import finding
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement
from crane_infra.migrations.sqlite.tables import Table


def columns_in_another_order(trace: FileTrace) -> Iterator[Finding]:
    """INSERT … SELECT by position that puts values of one column into another one although both tables have both."""
    for statement in trace.statements:
        pairs = _by_position(statement)
        targets = {target for target, _ in pairs}
        swapped = [(target, source) for target, source in pairs if source != target and source in targets]
        if swapped:
            shown = ", ".join(f"{source} into {target}" for target, source in swapped)
            what = f"it copies by position, and the columns are in another order: {shown}"
            todo = "Name the columns on both sides: INSERT INTO new (a, b) SELECT a, b FROM old"
            yield finding(trace, statement.number, "mixes-columns", "error", what, todo)


def ids_used_again(trace: FileTrace) -> Iterator[Finding]:
    """Rebuilds after which AUTOINCREMENT no longer knows the highest id that was ever used."""
    keeps_sequence = any("sqlite_sequence" in statement.effect.sql.lower() for statement in trace.statements)
    for name in trace.changed:
        old = trace.live.get(name)
        if old is None or not old.autoincrement or not trace.rebuilt(name):
            continue
        if keeps_sequence and trace.end[name].autoincrement:
            continue
        at = next((statement.number for statement in trace.statements if statement.replaced == name), 1)
        what = f"the rebuild of {old.name} forgets the highest id that AUTOINCREMENT gave, so ids of deleted rows may be given again"
        todo = "Keep AUTOINCREMENT, and copy the row of sqlite_sequence before the drop; docs/lint.md shows how"
        yield finding(trace, at, "reuses-ids", "warning", what, todo)


def _by_position(statement: TracedStatement) -> list[tuple[str, str]]:
    """The columns that an INSERT … SELECT fills by position, each with the column that it takes; nothing where names are on both sides."""
    effect = statement.effect
    sources = effect.sources - effect.targets
    if effect.verb != "insert" or len(effect.targets) != 1 or len(sources) != 1:
        return []
    target, source = effect.before.get(*effect.targets), effect.before.get(*sources)
    outer = [token for token in code(effect.sql) if token.depth == 0]
    words = [token.keyword for token in outer]
    if target is None or source is None or "SELECT" not in words or "FROM" not in words or {"WITH", "UNION", "JOIN"} & set(words):
        return []
    start, end = words.index("SELECT"), words.index("FROM")
    selected = outer[start + 1 : end]
    takes_all = [token.text for token in selected] == ["*"]
    named = [token for token in code(effect.sql) if token.depth == 1 and token.start < outer[start].start and token.text not in {",", "("}]
    if (named and not takes_all) or _has_generated(target) or _has_generated(source):
        return []
    into = [unquoted(token.text).lower() for token in named] or list(target.columns)
    pairs = zip(into, list(source.columns) if takes_all else _plain(selected), strict=False)
    return [(into_column, column) for into_column, column in pairs if column in source.columns]


def _plain(selected: Sequence[Token]) -> list[str]:
    """The columns of a list of plain names; empty where one is anything else."""
    names, commas = selected[::2], selected[1::2]
    is_plain = all(token.kind in {"word", "name"} for token in names) and all(token.text == "," for token in commas)
    return [unquoted(token.text).lower() for token in names] if is_plain else []


def _has_generated(table: Table) -> bool:
    return any(column.automatic and column.type.upper() != "INTEGER" for column in table.columns.values())
