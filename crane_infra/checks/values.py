"""Puts values into the places of a step that are written as ``{{name}}``. Pure.

A text that is one place and nothing else becomes the value itself, with its type; in a longer text the value is written out. In a path it is
percent-encoded, so no value can add a part or a query to it.
"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import quote

from pydantic import Field, JsonValue

if TYPE_CHECKING:
    from crane_infra.checks.question import Question

ValueName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_PLACE = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")
_Asked = TypeVar("_Asked", bound="Question")


def names_in(question: "Question") -> set[str]:
    """The names of the values that a request and its expected answer need."""
    texts = [question.path, *(value for value in question.headers.values() if isinstance(value, str))]
    expected = [question.json_includes, *(other.json_includes for other in question.by_environment.values())]
    return {name for value in (*texts, question.body, *expected) for text in _texts(value) for name in _PLACE.findall(text)}


def filled(question: _Asked, values: Mapping[str, JsonValue]) -> _Asked:
    """The same question with the values in their places."""
    path = _PLACE.sub(lambda match: quote(as_text(values[match[1]]), safe=""), question.path)
    headers = {name: _text(value, values) if isinstance(value, str) else value for name, value in question.headers.items()}
    includes = None if question.json_includes is None else _json(dict(question.json_includes), values)
    new = {"path": path, "headers": headers, "body": _json(question.body, values), "json_includes": includes}
    return question.model_copy(update=new)


def as_text(value: JsonValue) -> str:
    """A value as a longer text shows it: texts as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(text: str, values: Mapping[str, JsonValue]) -> str:
    return _PLACE.sub(lambda match: as_text(values[match[1]]), text)


def _json(value: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    if isinstance(value, str):
        alone = _PLACE.fullmatch(value)
        return values[alone[1]] if alone else _text(value, values)
    if isinstance(value, list):
        return [_json(inner, values) for inner in value]
    if isinstance(value, dict):
        return {_text(key, values): _json(inner, values) for key, inner in value.items()}
    return value


def _texts(value: object) -> list[str]:
    """Every text in a value, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key, inner in value.items() for text in (str(key), *_texts(inner))]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list) else []
