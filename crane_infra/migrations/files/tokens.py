"""Reads SQL as SQLite's own tokenizer does: words, quoted names, strings, comments and signs, each with its position (pure).

It knows no grammar. It tells a real WHERE or ``-- crane:`` comment from one within a string.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

Kind = Literal["word", "name", "text", "comment", "sign"]
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<text>'(?:[^']|'')*(?:'|\Z))
      | (?P<name>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
      | (?P<word>(?:[A-Za-z0-9_$]+|[^\x00-\x7f]+)+)
      | (?P<sign>[^ \t\n\f\r])""",
    re.DOTALL | re.VERBOSE,
)
_CLAUSES = {"GROUP", "ORDER", "LIMIT", "RETURNING", "ON", "WINDOW", "UNION", "INTERSECT", "EXCEPT"}
_CONSTANT = re.compile(r"TRUE|FALSE|NULL|NOT|AND|OR|IS|\d.*")
_OPERATORS = {"<=", ">=", "<>", "!=", "==", "||", "<<", ">>", "->", "->>"}
_QUOTES = ('"', "`", "[", "'")
_KINDS: tuple[Kind, ...] = ("comment", "text", "name", "word", "sign")


class Token(NamedTuple):
    """One token. ``depth`` counts the parentheses around it; numbers and keywords are words."""

    kind: Kind
    text: str
    start: int
    depth: int

    @property
    def keyword(self) -> str:
        """The word in upper case; empty for a token that is not a word."""
        return self.text.upper() if self.kind == "word" else ""


def tokens(sql: str) -> Iterator[Token]:
    """Yield every token, comments included; an unclosed one reaches to the end."""
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = next(kind for kind in _KINDS if kind == match.lastgroup)
        depth -= match.group() == ")"
        yield Token(kind, match.group(), match.start(), depth)
        depth += match.group() == "("


def code(sql: str) -> list[Token]:
    """All tokens except comments."""
    return [token for token in tokens(sql) if token.kind != "comment"]


def normal(all_tokens: Iterable[Token]) -> list[str]:
    """The tokens in one form, however they are written: words and names in lower case, names without quotes, operators in one piece."""
    forms: list[str] = []
    end = -1
    for token in all_tokens:
        form = unquoted(token.text).lower() if token.kind == "name" else token.keyword.lower() or token.text
        if token.start == end and forms[-1] + form in _OPERATORS:
            forms[-1] += form
        else:
            forms.append(form)
        end = token.start + len(token.text)
    return forms


def unquoted(name: str) -> str:
    """A name without its quotes, if it has some."""
    if name[:1] not in _QUOTES:
        return name
    end = "]" if name[0] == "[" else name[0]
    return name[1:].removesuffix(end).replace(end * 2, end)


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def where_of(sql: str) -> list[Token] | None:
    """The WHERE condition of the statement itself, up to its next clause; None where it has none.

    A WHERE in parentheses or of ON CONFLICT belongs to something else.
    """
    outer = [token for token in code(sql) if token.depth == 0 or token.text == ")"]
    words = [token.keyword for token in outer]
    upsert = next((index for index, pair in enumerate(pairwise(words)) if pair == ("ON", "CONFLICT")), len(words))
    if "WHERE" not in words[:upsert]:
        return None
    start = outer[words.index("WHERE")].start
    end = next((token.start for token in outer if token.start > start and token.keyword in _CLAUSES), len(sql))
    return [token for token in code(sql) if start < token.start < end]


def has_word(sql: str, word: str) -> bool:
    """Tell whether the statement itself has a keyword, outside parentheses."""
    return any(token.depth == 0 and token.keyword == word for token in code(sql))


def is_constant(condition: list[Token] | None) -> bool:
    """Tell whether a condition names no column, so that it holds for every row or for none; a missing one holds for every row."""
    return not any(token.kind == "name" or (token.keyword and not _CONSTANT.fullmatch(token.keyword)) for token in condition or ())


def written(all_tokens: Sequence[Token]) -> str:
    """Some tokens of one text as they are written, on one line and without the comments between them."""
    pieces, end = [], all_tokens[0].start if all_tokens else 0
    for token in all_tokens:
        pieces.append(f" {token.text}" if end < token.start else token.text)
        end = token.start + len(token.text)
    return "".join(pieces)
