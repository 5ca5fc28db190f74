"""Splits a migration into statements and tells which of them cannot be sent to D1 (pure).

SQLite's own ``sqlite3_complete`` decides where a statement ends, so ``;`` in strings, comments, CASE…END and trigger bodies cause no
error. The splitter behind D1's query endpoint is never relied on.
"""

import functools
import re
from collections.abc import Iterator

import apsw

from crane_infra.migrations.files.tokens import tokens

LONGEST_STATEMENT = 100_000
"""Bytes (developers.cloudflare.com/d1/platform/limits)."""
TRANSACTION = {"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"}
DATABASES = {"ATTACH", "DETACH"}
_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*", re.DOTALL)
_WORD = re.compile(r"\w+|.", re.DOTALL)
_LONGEST_SHOWN = 60


@functools.lru_cache(1)  # a file is split for its faults, and right after that for its statements
def split_statements(text: str) -> tuple[tuple[str, ...], str]:
    """Split SQL into its statements, without their final ``;`` and the comments before them, and the incomplete rest at the end."""
    statements, pending = [], ""
    for piece in _pieces(text):
        pending += piece
        if len(pending.encode()) > LONGEST_STATEMENT * 2:
            break
        if apsw.complete(pending):
            statements.append(strip_comments(pending).removesuffix(";").rstrip())
            pending = ""
    return tuple(filter(None, statements)), strip_comments(pending).rstrip()


def strip_comments(sql: str) -> str:
    """Remove the white space and comments before the first word."""
    blank = _BLANK.match(sql)
    return sql[blank.end() :] if blank else sql


def words(sql: str) -> Iterator[str]:
    """Yield the words and signs of a statement in upper case, without comments.

    What looks like a comment within a string is left out too, so read only the first few.
    """
    rest = strip_comments(sql)
    while rest and (word := _WORD.match(rest)):
        yield word.group().upper()
        rest = strip_comments(rest[word.end() :])


def shorten(statement: str) -> str:
    """Return the start of a statement on one line, as errors quote it."""
    line = " ".join(statement.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"


def fault_of(statement: str) -> tuple[str, str] | None:
    """Return why D1 does not accept a statement, and what to do; None for a statement that can be sent."""
    head = _head(statement)
    if head[0] in TRANSACTION:
        return f"{head[0]} is not allowed in a migration", "Remove it: a file already runs as one transaction"
    if head[0] in DATABASES:
        return f"{head[0]} is not allowed in a migration", "Remove it: D1 has only one database"
    if (size := len(statement.encode())) > LONGEST_STATEMENT:
        return (
            f"a statement has {size} bytes, more than D1's limit of {LONGEST_STATEMENT} ({shorten(statement)})",
            "Split it into smaller statements",
        )
    return None


def is_transaction(statement: str) -> bool:
    """Tell whether a statement begins or ends a transaction."""
    return _head(statement)[0] in TRANSACTION


def creates_trigger(statement: str) -> bool:
    """Tell whether a statement is CREATE [TEMP] TRIGGER."""
    head = [word for word in _head(statement) if word not in {"TEMP", "TEMPORARY"}]
    return head[:2] == ["CREATE", "TRIGGER"]


def needs_import(statement: str) -> bool:
    """Tell whether D1's query endpoint is known to cut a statement: it creates a trigger, whose body has a ``;``."""
    return creates_trigger(statement) or (";" in statement and any(token.text == ";" for token in tokens(statement)))


def without_semicolons_in_comments(statement: str) -> str:
    """The statement without its comments that have a ``;``, where the database stores no comments: everywhere but within CREATE and ALTER."""
    if ";" not in statement:
        return statement
    every = list(tokens(statement))
    end = max((token.start for token in every if token.kind != "comment"), default=0)
    is_stored = _head(statement)[0] in {"CREATE", "ALTER"}
    for token in reversed(every):
        if token.kind == "comment" and ";" in token.text and (token.start > end or not is_stored):
            statement = f"{statement[: token.start]} {statement[token.start + len(token.text) :]}"
    return statement.rstrip()


def sql_literal(value: str) -> str:
    """Return a text as an SQL literal, for where no value can be bound."""
    return "'" + value.replace("'", "''") + "'"


@functools.lru_cache(64)  # of a file's statements, which are asked for it one after the other, more than once each
def _head(statement: str) -> tuple[str, ...]:
    # Eight words reach past quotes and a schema.
    return tuple(word for word, _ in zip(words(statement), range(8), strict=False)) or ("",)


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find(";", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    yield text[start:]
