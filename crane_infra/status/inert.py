"""Makes texts of others harmless: names, messages and addresses may hold escapes for a terminal, line breaks, or marks that reverse a line."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

T = TypeVar("T")
LONGEST = 400
"""How many characters of one text of others are shown."""


def inert(text: str) -> str:
    """One line without any character that a terminal or a page would obey; such characters are shown as escapes."""
    line = " ".join(escaped(text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def escaped(text: str) -> str:
    """The same on one line, however long it is and with all its spaces."""
    return "".join(char if char.isprintable() else " " if char in "\n\r\t" else char.encode("unicode_escape").decode() for char in text)


def with_texts(value: T, change: Callable[[str], str]) -> T:
    """The same value with ``change`` applied to each text in it: in fields of dataclasses, in tuples, and in values and keys of mappings."""
    return cast("T", _changed(value, change))


def _changed(value: object, change: Callable[[str], str]) -> object:
    match value:
        case str():
            return change(value)
        case tuple():
            return tuple(_changed(part, change) for part in value)
        case Mapping():
            return {_changed(key, change): _changed(part, change) for key, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _changed(getattr(value, field.name), change) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **fields)
    return value
