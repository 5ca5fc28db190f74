"""The ways in which somebody may write a secret, for the tests that look for it."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

SHORTEST = 12
"""Characters of a written secret that give it away."""


def in_base64(before: int) -> Callable[[str], str]:
    """The text inside a longer one in base64, after so many bytes."""
    return lambda text: base64.b64encode(b"b" * before + text.encode() + b" after").decode()


def on_lines(length: int) -> Callable[[str], str]:
    """The text on lines of this length."""
    return lambda text: "\n".join(text[start : start + length] for start in range(0, len(text), length))


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "backwards": lambda text: text[::-1],
    "its halves changed over": lambda text: text[len(text) // 2 :] + text[: len(text) // 2],
    "its halves backwards": lambda text: text[: len(text) // 2][::-1] + text[len(text) // 2 :][::-1],
    "in upper case": str.upper,
    "in lower case": str.lower,
    "in JSON": json.dumps,
    "in JSON within JSON": lambda text: json.dumps(json.dumps(text)),
    "in Python": repr,
    "in HTML": html.escape,
    "in a URL": lambda text: quote(text, safe=""),
    "in a URL, lower case": lambda text: quote(text, safe="").lower(),
    "in hex": lambda text: text.encode().hex(),
    "in hex, upper case": lambda text: text.encode().hex().upper(),
    "in hex, in pairs": lambda text: text.encode().hex(" "),
    "in hex, with colons": lambda text: text.encode().hex(":"),
    "in base64": in_base64(0),
    "in base64, after one byte": in_base64(1),
    "in base64, after two bytes": in_base64(2),
    "in URL-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "on lines of eight": on_lines(8),
    "on lines of one": on_lines(1),
    "in base64 on lines": lambda text: on_lines(16)(in_base64(1)(text)),
    "cut after 20": lambda text: text[:20],
    "cut after 9": lambda text: text[:9],
    "without its beginning": lambda text: text[10:],
}


def flat(text: str) -> str:
    """The text in one case and without white space."""
    return "".join(text.casefold().split())


def pieces(written: str) -> set[str]:
    """Whatever of a written secret gives it away."""
    text = flat(written)
    return {text[start : start + SHORTEST] for start in range(max(1, len(text) - SHORTEST + 1))}


def places_of(value: str, text: str) -> list[str]:
    """The ways in which a text has the whole of a value, or of what is cut of it."""
    return [way for way, write in WAYS.items() if len(written := write(value)) >= SHORTEST and written in text]
