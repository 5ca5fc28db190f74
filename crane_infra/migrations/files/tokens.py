"""Reads SQL as SQLite's own tokenizer does: words, quoted names, strings, comments and signs, each with where it starts (pure).

Knows no grammar. Prevents a WHERE within a string, or a ``-- crane:`` line within a quoted value, from being taken for the real one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Kind = Literal["word", "name", "text", "comment", "sign"]
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<text>'(?:[^']|'')*(?:'|\Z))
      | (?P<name>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
      | (?P<word>[A-Za-z0-9_$\x80-\U0010ffff]+)
      | (?P<sign>[^ \t\n\f\r])""",
    re.DOTALL | re.VERBOSE,
)
_CLAUSES = {"GROUP", "ORDER", "LIMIT", "RETURNING", "ON", "WINDOW", "UNION", "INTERSECT", "EXCEPT"}
_CONSTANT = re.compile(r"TRUE|FALSE|NULL|NOT|AND|OR|IS|\d.*")
_KINDS: tuple[Kind, ...] = ("comment", "text", "name", "word", "sign")


@dataclass(frozen=True)
class Token:
    """One token; ``depth`` counts the parentheses around it, and a word is also a number or a keyword."""

    kind: Kind
    text: str
    start: int
    depth: int

    @property
    def keyword(self) -> str:
        """The word in upper case; nothing for what is no word."""
        return self.text.upper() if self.kind == "word" else ""


def tokens(sql: str) -> Iterator[Token]:
    """Yield every token, comments included; what is not closed reaches to the end."""
    depth = 0
    for found in _TOKEN.finditer(sql):
        kind = next(kind for kind in _KINDS if kind == found.lastgroup)
        depth -= found.group() == ")"
        yield Token(kind, found.group(), found.start(), depth)
        depth += found.group() == "("


def code(sql: str) -> list[Token]:
    """The tokens without the comments."""
    return [token for token in tokens(sql) if token.kind != "comment"]


def condition(sql: str) -> list[Token] | None:
    """The WHERE of the statement itself, up to its next clause; not one of a query in parentheses or of ON CONFLICT. None: it has none."""
    outer = [token for token in code(sql) if token.depth == 0 or token.text == ")"]
    words = [token.keyword for token in outer]
    upsert = next((index for index, pair in enumerate(pairwise(words)) if pair == ("ON", "CONFLICT")), len(words))
    if "WHERE" not in words[:upsert]:
        return None
    start = outer[words.index("WHERE")].start
    end = next((token.start for token in outer if token.start > start and token.keyword in _CLAUSES), len(sql))
    return [token for token in code(sql) if start < token.start < end]


def has_word(sql: str, word: str) -> bool:
    """Tell whether a keyword stands in the statement itself, outside of parentheses."""
    return any(token.depth == 0 and token.keyword == word for token in code(sql))


def always(found: list[Token] | None) -> bool:
    """Tell whether a condition names no column, so that it holds for every row or for none; so does a missing one."""
    return not any(token.kind == "name" or (token.keyword and not _CONSTANT.fullmatch(token.keyword)) for token in found or ())


def checks(sql: str) -> frozenset[str]:
    """The conditions of the CHECKs of a CREATE TABLE, one blank between tokens."""
    found = code(sql)
    return frozenset(_group(found, index + 1) for index, token in enumerate(found) if token.keyword == "CHECK")


def _group(found: list[Token], start: int) -> str:
    inner = []
    for token in found[start + 1 :]:
        if token.text == ")" and token.depth <= found[start].depth:
            break
        inner.append(token.keyword or token.text)
    return " ".join(inner)
