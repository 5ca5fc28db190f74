"""Finds names in double quotes that SQLite takes for texts because there is no such column.

SQLite is asked: the statement is compiled once more with a switch that forbids such texts. Each one that is refused is then masked, and the
statement is compiled again, until all are known.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from crane_infra.migrations.files.tokens import Token, code, unquoted
from crane_infra.migrations.sqlite.engine import EXPLAIN, FAILURES

_NO_COLUMN = re.compile(r"no such column: \"(?P<name>.*)\" - should this be a string literal", re.DOTALL)
_CONSTANTS = {"TRUE", "FALSE", "NULL", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"}
_WORD = re.compile(r"[^\W\d][\w$]*")


@dataclass(frozen=True)
class QuotedText:
    """A name that SQLite takes for a text, and where it starts in its statement."""

    name: str
    start: int


def texts_in(sql: str, compile_sql: Callable[[str], None], *, in_definition: bool = False) -> tuple[QuotedText, ...]:
    """The names in ``sql`` that SQLite takes for texts; ``compile_sql`` compiles it without texts in double quotes.

    SQLite says where in a statement such a name is, but not where in the definition of a view or a trigger: there, all of that name are meant.
    """
    masked, texts = sql, dict[int, QuotedText]()
    while tokens := _refused(masked, compile_sql, in_definition=in_definition):
        for token in tokens:
            texts[token.start] = QuotedText(unquoted(token.text), token.start)
            masked = f"{masked[: token.start]}'{'x' * (len(token.text) - 2)}'{masked[token.start + len(token.text) :]}"
    return tuple(texts[start] for start in sorted(texts))


def default_words(sql: str) -> Iterator[QuotedText]:
    """The names after DEFAULT in a CREATE or ALTER TABLE, which SQLite always takes for texts."""
    tokens = code(sql) if "DEFAULT" in sql.upper() else []
    for before, token in pairwise(tokens):
        is_word = _WORD.fullmatch(token.text) and token.keyword not in _CONSTANTS
        if before.keyword == "DEFAULT" and (token.kind == "name" or is_word):
            yield QuotedText(unquoted(token.text), token.start)


def _refused(sql: str, compile_sql: Callable[[str], None], *, in_definition: bool) -> list[Token]:
    """The tokens that SQLite names when it refuses a statement for a text in double quotes."""
    try:
        compile_sql(sql)
    except FAILURES as error:
        if match := _NO_COLUMN.search(str(error)):
            tokens = [token for token in code(sql) if token.text[:1] == '"' and unquoted(token.text).lower() == match["name"].lower()]
            return tokens if in_definition else [token for token in tokens if _offset(sql, token) == getattr(error, "error_offset", None)]
    return []


def _offset(sql: str, token: Token) -> int:
    """Where SQLite finds a token, in bytes."""
    return len(EXPLAIN) + len(sql[: token.start].encode())
