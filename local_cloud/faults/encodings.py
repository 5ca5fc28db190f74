"""The forms in which a call may contain a text: as it is, escaped for JSON, URL-encoded, or in base64, also inside a longer base64 text.

Texts that are compressed, hashed, encrypted or split are not covered.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST = 4
_SHORTEST_MIDDLE = 6


def forms(text: str) -> dict[bytes, str]:
    """Give each form of a text with its name; raises ValueError for one of fewer than four characters, which would match everywhere."""
    if len(text) < SHORTEST:
        raise ValueError(f"the text to look for needs at least {SHORTEST} characters")
    names: dict[bytes, str] = {}
    for name, written in _forms(text):
        names.setdefault(written, name)
    return names


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    encoded = text.encode()
    yield "as it is", encoded
    for ascii_only in (True, False):
        yield "JSON", json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()
    for escaped in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield "URL", escaped.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield "base64", encode(encoded)
        for offset in range(3):
            first, last = -(-offset * 8 // 6), (offset + len(encoded)) * 8 // 6
            if last - first >= _SHORTEST_MIDDLE:
                yield "base64", encode(bytes(offset) + encoded)[first:last]
