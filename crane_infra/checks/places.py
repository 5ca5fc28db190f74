"""Places in a JSON answer, written as ``data.items[0].id``. Pure."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, JsonValue

_STEP = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
_PLACE = re.compile(r"([^.\[\]]+|\[\d{1,6}\])(\.[^.\[\]]+|\[\d{1,6}\])*")


class Nothing:
    """Stands for a place that an answer does not have: None is a value of JSON."""


NOTHING: Final = Nothing()


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        message = f"'{text}' is not a place in JSON, write it as data.items[0].id"
        raise ValueError(message)
    return text


Place = Annotated[str, AfterValidator(_place)]


def value_at(place: str, value: JsonValue) -> JsonValue | Nothing:
    """What stands at a place of an answer; NOTHING where the answer has no such place."""
    inner: JsonValue | Nothing = value
    for key, index in _STEP.findall(place):
        if index:
            inner = inner[int(index)] if isinstance(inner, list) and int(index) < len(inner) else NOTHING
        else:
            inner = inner[key] if isinstance(inner, dict) and key in inner else NOTHING
    return inner
