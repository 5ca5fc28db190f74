"""The ways in which a text may be written elsewhere: escaped for JSON, URL-encoded, in base64, in base32, or in hexadecimal.

The product looks for them to hide secrets, the local cloud to find a text in its log. It imports neither of them.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

BITS_PER_BYTE = 8
BITS_OF_BASE64, BITS_OF_BASE32 = 6, 5  # three bytes are four characters, and five bytes are eight (RFC 4648, sections 4 and 6)
_RUN = re.compile(r"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/_-]|\s)*")


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
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield from _whole_and_inside(text, encode, BITS_OF_BASE64, 3, shortest_piece)


def base32_forms(text: str, shortest_piece: int) -> Iterator[str]:
    """The text in base32, whole, and the part that stays the same inside a longer text, for each of the five ways in which bytes before it shift it."""
    return _whole_and_inside(text, base64.b32encode, BITS_OF_BASE32, 5, shortest_piece)


def _whole_and_inside(text: str, encode: Callable[[bytes], bytes], bits: int, ways: int, shortest_piece: int) -> Iterator[str]:
    content = text.encode("utf-8", "surrogatepass")
    yield encode(content).decode()
    for offset in range(ways):
        first = -(-offset * BITS_PER_BYTE // bits)  # rounded up: the character before it also holds earlier bits
        last = (offset + len(content)) * BITS_PER_BYTE // bits
        if last - first >= shortest_piece:
            yield encode(bytes(offset) + content)[first:last].decode()


def in_base64(text: str, shortest: int) -> Iterator[tuple[str, list[int]]]:
    """The printable texts of at least so many characters that ``text`` holds in base64, with line breaks or without.

    Of each also where in ``text`` each of its characters begins; the last number is where it ends.
    """
    readable = re.compile(rb"[ -~]{%d,}" % shortest)
    for run in _RUN.finditer(text):
        places = [place for place in range(*run.span()) if not text[place].isspace()]
        signs = "".join(text[place] for place in places).replace("-", "+").replace("_", "/")
        for start in range(4):
            whole = signs[start : len(signs) - ((len(signs) - start) % 4 == 1)]  # one character alone is no byte
            for match in readable.finditer(base64.b64decode(f"{whole}==")):
                first = [start + number * BITS_PER_BYTE // BITS_OF_BASE64 for number in range(*match.span())]
                last = start + -(-match.end() * BITS_PER_BYTE // BITS_OF_BASE64) - 1
                yield match[0].decode(), [*(places[number] for number in first), places[last] + 1]


def hexadecimal_form(text: str) -> str:
    """The bytes of the text in hexadecimal, in lower case and without anything between them."""
    return text.encode("utf-8", "surrogatepass").hex()
