"""Splits a migration into statements and says which of them cannot be sent (pure).

SQLite's own ``complete_statement`` decides where a statement ends, so ``;`` in strings, comments, CASE…END and trigger bodies are right
by construction. Prevents relying on the splitter behind D1's query endpoint, and a transaction command that D1 refuses half-way.
"""

import re
import sqlite3
from collections.abc import Iterator

LONGEST_STATEMENT = 100_000  # bytes, D1's limit
TRANSACTION = {"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"}
DATABASES = {"ATTACH", "DETACH"}
_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*", re.DOTALL)
_WORD = re.compile(r"\w+|.", re.DOTALL)
_LONGEST_SHOWN = 60


def split(text: str) -> tuple[tuple[str, ...], str]:
    """Split SQL into statements, without their final ``;`` and the comments before them, and what is left unfinished at the end."""
    statements, pending = [], ""
    for piece in _pieces(text):
        pending += piece
        if len(pending.encode()) > LONGEST_STATEMENT * 2:
            break
        if sqlite3.complete_statement(pending):
            statements.append(strip_comments(pending).removesuffix(";").rstrip())
            pending = ""
    return tuple(filter(None, statements)), strip_comments(pending).rstrip()


def strip_comments(sql: str) -> str:
    """Remove the blanks and comments before the first word."""
    found = _BLANK.match(sql)
    return sql[found.end() :] if found else sql


def words(sql: str) -> Iterator[str]:
    """Yield the words and signs of a statement in upper case, comments left out (inside strings, too: read only the first few)."""
    rest = strip_comments(sql)
    while rest and (found := _WORD.match(rest)):
        yield found.group().upper()
        rest = strip_comments(rest[found.end() :])


def shorten(statement: str) -> str:
    """Return the start of a statement, in one line, as errors quote it."""
    line = " ".join(statement.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"


def fault(statement: str) -> tuple[str, str] | None:
    """Return why D1 cannot take a statement, and what to do; None for one that can be sent."""
    head = _head(statement)
    if head[0] in TRANSACTION:
        return f"{head[0]} is not allowed in a migration", "Take it out: a file is one transaction already"
    if head[0] in DATABASES:
        return f"{head[0]} is not allowed in a migration", "Take it out: D1 knows one database only"
    if head[0] == "PRAGMA" and "FOREIGN_KEYS" in head:
        todo = "Take it out: D1 ignores it, and a table rebuilt under it empties the tables that refer to it"
        return "PRAGMA foreign_keys is not allowed in a migration", todo
    if (size := len(statement.encode())) > LONGEST_STATEMENT:
        return f"a statement of {size} bytes, D1 takes {LONGEST_STATEMENT} ({shorten(statement)})", "Split it into smaller statements"
    return None


def creates_trigger(statement: str) -> bool:
    """Tell whether a statement is CREATE [TEMP] TRIGGER."""
    head = [word for word in _head(statement) if word not in {"TEMP", "TEMPORARY"}]
    return head[:2] == ["CREATE", "TRIGGER"]


def is_split_wrongly(statement: str) -> bool:
    """Tell whether D1's query endpoint may cut a statement: it has a ``;`` inside (a trigger's body, a string, a comment)."""
    return ";" in statement or creates_trigger(statement)


def literal(value: str) -> str:
    """Return a text as an SQL literal, for where nothing can be bound."""
    return "'" + value.replace("'", "''") + "'"


def _head(statement: str) -> list[str]:
    # Eight words reach past quotes and a schema: PRAGMA "main" . "foreign_keys".
    return [word for word, _ in zip(words(statement), range(8), strict=False)] or [""]


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find(";", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    yield text[start:]
