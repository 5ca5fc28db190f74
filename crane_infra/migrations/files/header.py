"""Reads what a migration declares in comments before its first statement: ``-- crane: expand``, ``-- crane: loses-rows NAME, …`` (pure).

A declaration that is misspelled, comes too late in the file, or is written as another kind of comment is an error, never ignored. Lint judges
whether the declarations are true.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.tokens import tokens

FORMS = "Write -- crane: expand, -- crane: contract, -- crane: loses-rows TABLE or -- crane: overwrites-rows TABLE"
_OURS = re.compile(r"(?:--|/\*)\s*crane\s*(?::|(?:expand|contract|loses-rows|overwrites-rows)\b)", re.IGNORECASE)
_NAMING = ("loses-rows", "overwrites-rows")
_LINE = re.compile(r"--[ \t]*crane:[ \t]*(?P<word>[\w-]*)(?:[ \t]+(?P<rest>.*?))?[ \t\r]*")
_NAME = re.compile(r'[^\W\d][\w$]*|"[^"]+"')


class Header(NamedTuple):
    """What a file declares: its kind, if it declares one, and the tables (in lower case) that may lose rows, or whose rows it may overwrite."""

    kind: Literal["expand", "contract"] | None = None
    loses_rows: frozenset[str] = frozenset()
    overwrites_rows: frozenset[str] = frozenset()


class _Line(NamedTuple):
    where: str
    text: str
    late: bool


def parse_header(text: str, shown: str) -> Header:
    """Read the header of a migration's text, which errors call ``shown``.

    Raises MigrationError with the line for a ``crane:`` comment that is malformed, unknown, repeated, contradicted by another, or after the
    first statement.
    """
    kind: Literal["expand", "contract"] | None = None
    named: dict[str, set[str]] = {word: set() for word in _NAMING}
    for line in _lines(text, shown):
        word, rest = _directive(line)
        if word in named:
            named[word] |= _names(word, rest, named[word], line)
        else:
            _refuse_second(kind, word, line)
            kind = "expand" if word == "expand" else "contract"
    return Header(kind, *map(frozenset, named.values()))


def _lines(text: str, shown: str) -> Iterator[_Line]:
    if not _OURS.search(text):  # most files: nothing to look for, token by token
        return
    late = False
    for token in tokens(text):
        if token.kind != "comment":
            late = late or token.text != ";"
        elif _OURS.match(token.text):
            yield _Line(f"{shown}:{text.count(chr(10), 0, token.start) + 1}", token.text, late)


def _directive(line: _Line) -> tuple[str, str]:
    if line.late:
        raise MigrationError(line.where, f"{_shown(line)} comes after the first statement", "Move it above the first statement")
    match = _LINE.fullmatch(line.text)
    word, rest = (match["word"], match["rest"] or "") if match else ("", "")
    if word not in {"expand", "contract", *_NAMING} or (word not in _NAMING and rest):
        raise MigrationError(line.where, f"{_shown(line)} is not a known declaration", FORMS)
    return word, rest


def _names(word: str, rest: str, known: set[str], line: _Line) -> set[str]:
    names = set[str]()
    for name in (part.strip() for part in rest.split(",")):
        if not _NAME.fullmatch(name):
            raise MigrationError(line.where, f"{_shown(line)} does not name a table", f"Name the tables, separated by commas: {word} a, b")
        plain = name.strip('"').lower()
        if plain in known | names:
            raise MigrationError(line.where, f"{word} names {plain} twice", "Remove one of them")
        names.add(plain)
    return names


def _refuse_second(kind: str | None, word: str, line: _Line) -> None:
    if kind == word:
        raise MigrationError(line.where, f"{word} is declared twice", "Remove one of them")
    if kind:
        raise MigrationError(line.where, f"{word} contradicts {kind} above", "Split the file, and release the expand first")


def _shown(line: _Line) -> str:
    return " ".join(line.text.split())
