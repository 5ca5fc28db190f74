"""How the rules of lint name tables and findings."""

from crane_infra.migrations.lint.finding import Finding, Level
from crane_infra.migrations.sqlite.effects import FileTrace, TracedStatement

DOCUMENTED = "docs/lint.md shows how"


def names(trace: FileTrace, tables: frozenset[str]) -> str:
    """The names of some tables as the files write them, sorted, with commas between."""
    return ", ".join(trace.named(table) for table in sorted(tables))


def dropped(trace: FileTrace, statement: TracedStatement) -> str:
    """The names of the tables that a statement drops."""
    return names(trace, statement.effect.drops)


def declaration(trace: FileTrace, tables: frozenset[str], word: str = "loses-rows") -> str:
    """The comment that declares that these tables may lose rows, or what else the word says."""
    return f"-- crane: {word} {names(trace, tables)}"


def finding(trace: FileTrace, number: int | None, rule: str, level: Level, what: str, todo: str) -> Finding:
    """A finding in a file: about its statement ``number``, or about the whole file."""
    return Finding(trace.file.path, number, rule, level, what, todo)
