"""Values of the wrong type, in the place of any part of a valid JSON value: no reader may fall over one."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]
ABSENT = object()
"""Leave the part out."""


def deep(levels: int) -> list[Any]:
    """A list in a list, and so on."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


WRONG: dict[str, object] = {
    "absent": ABSENT,
    "null": None,
    "true": True,
    "huge": 10**400,
    "not a number": float("nan"),
    "infinity": float("inf"),
    "text": "x",
    "lines": "a\nTraceback (most recent call last):\n",
    "half a pair": "\ud800",
    "empty list": [],
    "list of text": ["x"],
    "list of null": [None],
    "empty object": {},
    "object": {"x": None},
    "deep": deep(900),
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def paths(value: object, below: Path = ()) -> Iterator[Path]:
    """Where each part of a value is, the value itself included."""
    yield below
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from paths(entry, (*below, key))


def spoiled(value: Any, path: Path, wrong: object) -> Any:  # noqa: ANN401 (JSON)
    """A copy of a value with something else at a path. It shares all that is not on the way there."""
    if not path:
        return None if wrong is ABSENT else wrong
    key, *below = path
    whole = copy.copy(value)
    if wrong is ABSENT and not below:
        del whole[key]
    else:
        whole[key] = spoiled(value[key], tuple(below), wrong)
    return whole
