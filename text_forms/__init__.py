"""The ways in which a text may be written elsewhere: escaped for JSON, URL-encoded, in base64, or in hexadecimal.

The product looks for them to hide secrets, the local cloud to find a text in its log. It imports neither of them.
"""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

BITS_PER_BYTE, BITS_PER_CHARACTER = 8, 6  # base64 writes three bytes as four characters (RFC 4648, section 4)


def json_forms(text: str) -> Iterator[str]:
    """The text as it stands between the quotes of a JSON string, with and without escapes for what is not ASCII."""
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def url_forms(text: str) -> Iterator[str]:
    """The text in a URL: in a path, in a part of a path, and in a form, where a space is a plus sign."""
    encoded = text.encode("utf-8", "surrogatepass")
    yield quote(encoded)
    yield quote(encoded, safe="")
    yield quote_plus(encoded)


def base64_forms(text: str, shortest_piece: int) -> Iterator[str]:
    """The text in base64, with the standard and the URL-safe alphabet: whole, and the part that stays the same inside a longer text.

    Inside a longer text, the bytes before it shift how it is written; there are three ways. A part of fewer than ``shortest_piece``
    characters is left out, because it would be found in unrelated text.
    """
    content = text.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(content).decode()
        for offset in range(3):
            first = -(-offset * BITS_PER_BYTE // BITS_PER_CHARACTER)  # rounded up: the character before it also holds earlier bits
            last = (offset + len(content)) * BITS_PER_BYTE // BITS_PER_CHARACTER
            if last - first >= shortest_piece:
                yield encode(bytes(offset) + content)[first:last].decode()


def hexadecimal_form(text: str) -> str:
    """The bytes of the text in hexadecimal, in lower case and without anything between them."""
    return text.encode("utf-8", "surrogatepass").hex()
