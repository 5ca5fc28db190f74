"""The forms in which a call may contain a text: as it is, escaped for JSON, URL-encoded, in hexadecimal, or in (longer) base64 or base32.

It does not find text that is compressed, hashed, encrypted or cut in two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from text_forms import base32_forms, base64_forms, hexadecimal_form, json_forms, url_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 4
_SHORTEST_PIECE = 6


def forms(text: str) -> dict[bytes, str]:
    """Each way to write a text, with the name of that way.

    Raises ValueError for a text of fewer than four characters: it would be found anywhere.
    """
    if len(text) < SHORTEST:
        raise ValueError(f"a text to look for has at least {SHORTEST} characters")
    names: dict[bytes, str] = {}
    for name, written in _forms(text):
        names.setdefault(written.encode(), name)
    return names


def _forms(text: str) -> Iterator[tuple[str, str]]:
    yield "as it is", text
    yield from (("JSON", form) for form in json_forms(text))
    yield from (("URL", form) for form in url_forms(text))
    yield "hexadecimal", hexadecimal_form(text)
    yield "hexadecimal", hexadecimal_form(text).upper()
    yield from (("base64", form) for form in base64_forms(text, _SHORTEST_PIECE))
    yield from (("base32", form) for form in base32_forms(text, _SHORTEST_PIECE))
