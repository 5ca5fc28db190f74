"""Splitting SQL text into its statements: as SQLite does, and wrongly, as production's ``/query`` is known to do.

``split`` is exact: quotes, comments, triggers, CASE and line endings do not mislead it. ``missplit`` then splits these statements further,
for each fault that is switched on, so a migration that production would cut in two fails in a rehearsal. It does not parse SQL.
"""

from __future__ import annotations

import codecs
import itertools
import re
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_cloud.behaviour import Behaviour

_TOKEN = re.compile(
    r"""'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)|;|\w+""", re.DOTALL
)
_CHUNK = 1 << 20
_NOTHING = re.compile(r"(?>--[^\n]*|/\*.*?(?:\*/|\Z)|[\s;\ufeff])*\Z", re.DOTALL)


def split(sql: str) -> list[str]:
    """Give the statements in ``sql``, without those that are only comments or white space."""
    edges = [0, *_ends(sql), len(sql)]
    return _kept([sql[start:end] for start, end in itertools.pairwise(edges)])


def split_file(file: Path) -> Iterator[str]:
    """Give the statements of a file as ``split`` does, with little of it in memory. Raises UnicodeDecodeError."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")(), ""
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            rest += decoder.decode(chunk)
            start = 0
            for end in _ends(rest):
                yield from _kept([rest[start:end]])
                start = end
            rest = rest[start:]
        yield from split(rest + decoder.decode(b"", final=True))


def missplit(sql: str, behaviour: Behaviour) -> list[str]:
    """Give the parts into which production's ``/query`` splits ``sql`` under the faults that are switched on."""
    return [part for statement in split(sql) for part in _kept(_broken(statement, behaviour))]


def words(sql: str) -> Iterator[str]:
    """Give the unquoted words of a statement in capitals, without strings and comments."""
    return (token[0].upper() for token in _TOKEN.finditer(sql) if re.match(r"\w", token[0]))


def uncommented(statement: str) -> str:
    """Give a statement with a space in place of each comment."""
    return _TOKEN.sub(lambda token: " " if token[0].startswith(("--", "/*")) else token[0], statement)


def is_trigger(statement: str) -> bool:
    """Whether a statement creates a trigger."""
    first = [word for word, _ in zip(words(statement), range(3), strict=False)]
    return first[:1] == ["CREATE"] and "TRIGGER" in first[1 : 3 if first[1:2] in (["TEMP"], ["TEMPORARY"]) else 2]


def _ends(sql: str) -> Iterator[int]:
    """Give where each complete statement ends."""
    start = 0
    for token in _TOKEN.finditer(sql):
        if token[0] == ";" and sqlite3.complete_statement(sql[start : token.end()]):
            start = token.end()
            yield start


def _broken(statement: str, behaviour: Behaviour) -> list[str]:
    bare = [token.start() for token in _TOKEN.finditer(statement) if token[0] == ";"]
    ends = {at for at in bare if _cuts_trigger(statement, behaviour)}
    for token in _TOKEN.finditer(statement):
        is_comment = token[0].startswith(("--", "/*"))
        if token[0] != ";" and (behaviour.splits_inside_comments if is_comment else behaviour.splits_inside_quotes):
            ends |= {token.start() + match.start() for match in re.finditer(";", token[0])}
    edges = [0, *(at + 1 for at in sorted(ends)), len(statement)]
    return [statement[start:end] for start, end in itertools.pairwise(edges)]


def _cuts_trigger(statement: str, behaviour: Behaviour) -> bool:
    if not is_trigger(statement):
        return False
    return (
        behaviour.splits_inside_triggers
        or (behaviour.splits_inside_crlf_triggers and "\r" in statement)
        or (behaviour.splits_inside_case_triggers and "CASE" in words(statement))
        or (behaviour.splits_inside_lowercase_triggers and "BEGIN" not in (token[0] for token in _TOKEN.finditer(statement)))
    )


def _kept(texts: list[str]) -> list[str]:
    return [text.strip().removeprefix("\ufeff") for text in texts if not _NOTHING.match(text)]
