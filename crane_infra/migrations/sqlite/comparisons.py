"""Reads a condition that only compares columns with literals, joined by AND, OR and NOT (pure).

Each token becomes a letter, and patterns reduce the letters until one is left; where another is left, the condition is of another kind.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from crane_infra.migrations.files.tokens import Token, code, normal, quoted, unquoted

_LETTERS = {"AND": "A", "OR": "O", "NOT": "N", "IN": "I", "BETWEEN": "B", "IS": "S", "NULL": "U", "ISNULL": "J", "NOTNULL": "K"}
_SIGNS = {"(", ")", ","}
_COMPARING = {"=", "<", ">", "!"}
_NUMBER = re.compile(r"-?\s*\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![\w.])")
_PREDICATE = re.compile(r"C=+[LU]|[LU]=+C|CN?I\((?:[LU](?:,[LU])*)?\)|CN?B[LU]A[LU]|CSN?[LU]|C[JK]|CNU")
_JOINED = re.compile(r"NP|P[AO]P|\(P\)")
_IN_PARENTHESES = re.compile(r"(?<!I)\(C\)")
_FUNCTIONS = {"length", "octet_length", "lower", "upper", "trim", "ltrim", "rtrim", "abs", "round", "typeof", "substr", "instr", "json_valid", "json_type"}  # fmt: skip
"""Of their arguments alone; what they return has no affinity and no collation of a column."""


class Comparisons(NamedTuple):
    """A condition on ``values``: columns (in lower case) and calls of functions. ``sql`` is the condition with the calls as names.

    ``columns`` are all that it names, ``inside_calls`` those within calls, and ``literals`` are in SQL.
    """

    sql: str
    values: frozenset[str]
    columns: frozenset[str]
    inside_calls: frozenset[str]
    literals: frozenset[str]


@dataclass(frozen=True)
class _Part:
    """A token or a few: the letter for them, their SQL, and the columns within, if it is a call."""

    letter: str
    sql: str
    value: str = ""
    inside: frozenset[str] = frozenset()


def comparisons_in(condition: str, columns: Collection[str]) -> Comparisons | None:
    """Read a condition on a table with these columns (in lower case); None where it does anything but compare them with literals."""
    parts = list(_parts(condition, columns))
    if not _is_reducible("".join(part.letter for part in parts)):
        return None
    values = frozenset(part.value for part in parts if part.value)
    inside = frozenset[str]().union(*(part.inside for part in parts))
    literals = frozenset(part.sql for part in parts if part.letter == "L")
    return Comparisons(" ".join(part.sql for part in parts), values, (values & set(columns)) | inside, inside, literals)


def _is_reducible(letters: str) -> bool:
    """Whether letters are comparisons, joined in any way. All other operators bind stronger, and have no letter."""
    letters = _PREDICATE.sub("P", _IN_PARENTHESES.sub("C", letters))
    while (shorter := _JOINED.sub("P", letters)) != letters:
        letters = shorter
    return letters == "P"


def _parts(condition: str, columns: Collection[str]) -> Iterator[_Part]:
    tokens, before, index = code(condition), "", 0
    while index < len(tokens):
        part, size = _part(condition, tokens, index, columns, before)
        yield part
        before, index = part.letter, index + size


def _part(condition: str, tokens: Sequence[Token], index: int, columns: Collection[str], before: str) -> tuple[_Part, int]:
    """The part that begins at a token, and how many tokens it has. A letter of ? stands for anything else."""
    token, following = tokens[index], tokens[index + 1 : index + 2]
    if size := _size_of_literal(condition, tokens, index, before):
        last = tokens[index + size - 1]
        return _Part("L", condition[token.start : last.start + len(last.text)]), size
    if token.keyword.lower() in _FUNCTIONS and [each.text for each in following] == ["("]:
        return _call(tokens, index, columns)
    if token.text in _SIGNS or token.keyword in _LETTERS:
        return _Part(_LETTERS.get(token.keyword, token.text), token.text), 1
    if token.text in _COMPARING:
        pair = token.text + "".join(each.text for each in following if each.start == token.start + 1 and each.text in {"=", ">"})
        return _Part("=", pair), len(pair)
    name = unquoted(token.text).lower()
    is_column = token.kind in {"word", "name"} and name in columns
    return (_Part("C", quoted(name), name) if is_column else _Part("?", token.text)), 1


def _size_of_literal(condition: str, tokens: Sequence[Token], index: int, before: str) -> int:
    """How many tokens the literal has that begins at a token; 0 where none does. IS TRUE is not a comparison with a literal."""
    token = tokens[index]
    number = _NUMBER.match(condition, token.start) if before not in {"C", "L", "U", ")"} else None
    if number:
        return sum(token.start <= each.start < number.end() for each in tokens)
    return int(token.kind == "text" or (token.keyword in {"TRUE", "FALSE"} and before not in {"S", "N"}))


def _call(tokens: Sequence[Token], index: int, columns: Collection[str]) -> tuple[_Part, int]:
    depth = tokens[index].depth
    end = next(later for later in range(index + 2, len(tokens)) if tokens[later].text == ")" and tokens[later].depth == depth)
    call = tokens[index : end + 1]
    form = " ".join(normal(call))
    names = frozenset(unquoted(each.text).lower() for each in call[1:] if each.kind in {"word", "name"})
    return _Part("C", quoted(form), form, names & set(columns)), len(call)
