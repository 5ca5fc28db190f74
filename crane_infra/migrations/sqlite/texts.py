"""Finds names in double quotes that SQLite takes for texts because there is no such column.

SQLite is asked: the statement is compiled once more with a switch that forbids such texts. Each one that is refused is then masked, and the
statement is compiled again, until all are known.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from crane_infra.migrations.files.tokens import Token, code, unquoted
from crane_infra.migrations.sqlite.engine import EXPLAIN, FAILURES

_NO_COLUMN = re.compile(r"no such column: \"(?P<name>.*)\" - should this be a string literal", re.DOTALL)
_CONSTANTS = {"TRUE", "FALSE", "NULL", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"}
_WORD = re.compile(r"[^\W\d][\w$]*")


class QuotedText(NamedTuple):
    """A name that SQLite takes for a text, and where it starts in its statement."""

    name: str
    start: int


def texts_in(sql: str, compile_sql: Callable[[str], None]) -> tuple[QuotedText, ...]:
    """The names in ``sql`` that SQLite takes for texts; ``compile_sql`` compiles it without texts in double quotes.

    SQLite does not always say where the name is that it refuses: then all of that name are meant. If it refuses the name still when all are
    masked, it stands elsewhere, in the definition of a view.
    """
    masked, texts = sql, dict[int, QuotedText]()
    while refused := _refused(masked, compile_sql):
        name, offset = refused
        tokens = [token for token in code(masked) if token.text[:1] == '"' and unquoted(token.text).lower() == name]
        if not tokens:
            return tuple(text for _, text in sorted(texts.items()) if text.name.lower() != name)
        for token in [token for token in tokens if _offset(masked, token) == offset] or tokens:
            texts[token.start] = QuotedText(unquoted(token.text), token.start)
            masked = f"{masked[: token.start]}'{'x' * (len(token.text) - 2)}'{masked[token.start + len(token.text) :]}"
    return tuple(text for _, text in sorted(texts.items()))


def default_words(sql: str) -> Iterator[QuotedText]:
    """The names after DEFAULT in a CREATE or ALTER TABLE, which SQLite always takes for texts."""
    for before, token in pairwise(code(sql) if "DEFAULT" in sql.upper() else []):
        if before.keyword == "DEFAULT" and (token.kind == "name" or _is_word(token)):
            yield QuotedText(unquoted(token.text), token.start)


def _is_word(token: Token) -> bool:
    return bool(_WORD.fullmatch(token.text)) and token.keyword not in _CONSTANTS


def _refused(sql: str, compile_sql: Callable[[str], None]) -> tuple[str, int] | None:
    """The name, in lower case, for which SQLite refuses a statement as a text in double quotes, and where it is, if SQLite knows."""
    try:
        compile_sql(sql)
    except FAILURES as error:
        if match := _NO_COLUMN.search(str(error)):
            return match["name"].lower(), getattr(error, "error_offset", -1)
    return None


def _offset(sql: str, token: Token) -> int:
    """Where SQLite finds a token, in bytes."""
    return len(EXPLAIN) + len(sql[: token.start].encode())
