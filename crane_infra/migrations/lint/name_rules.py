"""The rule about names in double quotes that SQLite takes for texts because there is no such column (pure)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from crane_infra.migrations.files.split import shorten
from crane_infra.migrations.files.tokens import Token, code
from crane_infra.migrations.lint.finding import Finding, Level
from crane_infra.migrations.lint.naming import finding
from crane_infra.migrations.sqlite.effects import FileTrace
from crane_infra.migrations.sqlite.texts import QuotedText, default_words

_COMPARING = {"=", "<", ">", "LIKE", "GLOB", "IS", "BETWEEN"}
_SCOPES = {"FROM", "UPDATE", "DELETE"}
_CLAUSES = {"SET", "WHERE", "FROM", "ON", "WHEN", "HAVING"}
_OF_DATES = {"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"}
_WORD = re.compile(r"[^\W\d]\w*")


def names_taken_for_texts(trace: FileTrace) -> Iterator[Finding]:
    """Names that are no column, in statements, and in the views and triggers that a file creates or whose tables it changes."""
    for statement in trace.statements:
        sql, effect = statement.effect.sql, statement.effect
        columns = _columns(trace, effect.targets | effect.reads | effect.changed)
        defaults = [text for text in default_words(sql) if text.name.lower() in columns] if effect.changes_schema else []
        findings = _findings(trace, statement.number, "", sql, [*effect.texts, *defaults], columns)
        yield from (replace(found, level="warning") for found in findings) if statement.copies_nothing else findings
    for left in trace.unsound:
        before, now = left.unsound.before, left.unsound.now
        known = {text.name for text in before.texts} if before else set()
        texts = [text for text in now.texts if text.name not in known]
        where = f"in the {left.unsound.dependent.kind} {now.name} "
        yield from _findings(trace, trace.last_use(left.unsound), where, now.sql, texts, _columns(trace, now.uses))


def _findings(
    trace: FileTrace, number: int, where: str, sql: str, texts: Sequence[QuotedText], columns: frozenset[str]
) -> Iterator[Finding]:
    levels: dict[str, Level] = {}
    for text in texts:
        level: Level | None = "error" if text.name.lower() in columns else _level(code(sql), text)
        if level and levels.get(text.name) != "error":
            levels[text.name] = level
    for name, level in levels.items():
        what = f"{where}\"{name}\" is not a column there, so SQLite takes it for the text '{name}': {shorten(sql)}"
        todo = f"Correct the name; if you mean the text, write '{name}' in single quotes"
        yield finding(trace, number, "name-becomes-text", level, what, todo)


def _columns(trace: FileTrace, tables: frozenset[str]) -> frozenset[str]:
    """The names of the columns of some tables, at the start or the end of the file."""
    states = [tables_then[name] for name in tables for tables_then in (trace.start, trace.end) if name in tables_then]
    return frozenset(column for table in states for column in table.columns)


def _level(tokens: Sequence[Token], text: QuotedText) -> Level | None:
    """How likely a column is meant: an error where one may be, a warning in a comparison with a text, nothing where none can be."""
    at = next(index for index, token in enumerate(tokens) if token.start == text.start)
    if not _WORD.fullmatch(text.name) or not _is_in_reach_of_columns(tokens, at) or _is_of_a_date(tokens, at):
        return None
    return "warning" if _is_compared(tokens, at) else "error"


def _is_in_reach_of_columns(tokens: Sequence[Token], at: int) -> bool:
    """Whether the statement or one of the subqueries around a token names a table whose columns could be meant."""
    start = next((index + 1 for index in range(at, 0, -1) if tokens[index].text == ";" or tokens[index].keyword == "BEGIN"), 0)
    if start == 0 and tokens[0].keyword in {"CREATE", "ALTER"}:
        return True
    end = next((index for index in range(at, len(tokens)) if tokens[index].text == ";"), len(tokens))
    return any(tokens[index].keyword in _SCOPES and _reaches(tokens, index, at) for index in range(start, end))


def _reaches(tokens: Sequence[Token], scope: int, at: int) -> bool:
    """Whether FROM, or an UPDATE or DELETE before it, belongs to what is around a token."""
    first, last = min(scope, at), max(scope, at)
    is_around = all(token.depth >= tokens[scope].depth for token in tokens[first : last + 1])
    return is_around and (scope < at or tokens[scope].keyword == "FROM")


def _is_of_a_date(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token is an argument of a function of dates, which take words such as now."""
    return _before_parenthesis(tokens, at).lower() in _OF_DATES


def _is_compared(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token is what a column is compared with, alone or in a list; not a value that SET assigns, nor a join."""
    before = tokens[at - 1].keyword or tokens[at - 1].text
    if before == "NOT" or before in _COMPARING:
        clause = next(
            (token.keyword for token in reversed(tokens[:at]) if token.depth == tokens[at].depth and token.keyword in _CLAUSES), ""
        )
        return clause not in {"SET", "ON"}
    return _before_parenthesis(tokens, at).upper() == "IN"


def _before_parenthesis(tokens: Sequence[Token], at: int) -> str:
    """The word before the parenthesis that opens around a token; empty where there is none."""
    depth = tokens[at].depth - 1
    opening = next((index for index in range(at, 0, -1) if tokens[index].text == "(" and tokens[index].depth == depth), 0)
    return tokens[opening - 1].text if opening else ""
