"""Takes secret values out of a text before anybody sees it.

Knows the values it is given, in the forms in which servers and libraries echo them: as they stand, escaped for JSON, Python
or HTML, URL-encoded, base64 (also inside a longer encoded text), with line breaks collapsed, and each long line of a value
of several lines. Does not find a value that is hashed, hexed, cut in two or otherwise disguised, and does not look for secrets
that it was not given. Prevents an error text that quotes a reply from publishing the key that the reply echoes.

Redact first and shorten afterwards: half a secret is no longer recognised.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

# Shorter values would blank out unrelated text ("1", "on"): they go only where they stand alone.
_WHOLE_TOKENS_BELOW = 4
# The same for pieces of a value: a line of a key, base64 inside a longer base64 text.
_PIECES_FROM = 12

_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}")


class Redactor:
    """Replaces every occurrence of the given secrets by ``[secret NAME]``.

    Where occurrences overlap, all of them go, under the name of the first. Values shorter than four characters are replaced
    only where no letter, digit or underscore touches them, and only as they stand. Empty and blank values are no secrets.
    """

    __slots__ = ("_names", "_pattern")

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """``secrets`` maps the names to show to the values to hide."""
        self._names: dict[str, str] = {}
        for name, value in secrets.items():
            for form in _forms(value) if value.strip() else ():
                self._names.setdefault(form, name)
        longest_first = sorted(self._names, key=lambda form: (-len(form), form))
        # A lookahead consumes nothing, so it reports overlapping occurrences too.
        self._pattern = re.compile(f"(?=({'|'.join(map(_regex, longest_first))}))") if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        shown: list[str] = []
        end = 0
        for start, stop, name in self._stretches(text):
            shown += text[end:start], f"[secret {name}]"
            end = stop
        return "".join((*shown, text[end:]))

    def _stretches(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where secrets stand, overlapping ones merged: start, stop, name."""
        current: tuple[int, int, str] | None = None
        for match in self._pattern.finditer(text) if self._pattern else ():
            start, stop = match.span(1)
            if current and start < current[1]:
                current = (current[0], max(current[1], stop), current[2])
                continue
            if current:
                yield current
            current = (start, stop, self._names[match[1]])
        if current:
            yield current


def _regex(form: str) -> str:
    literal = re.escape(form)
    return literal if len(form) >= _WHOLE_TOKENS_BELOW else rf"(?<!\w){literal}(?!\w)"


def _forms(value: str) -> Iterator[str]:
    """Every way in which the value may be written."""
    if len(value) < _WHOLE_TOKENS_BELOW:
        yield value
        return
    lines = [line.strip() for line in value.splitlines()]
    wholes = {value, value.strip(), "\n".join(lines), "\r\n".join(lines), " ".join(value.split()), "".join(value.split())}
    pieces = {line for line in lines if len(line) >= _PIECES_FROM and not line.startswith("-----")}
    for text in wholes | pieces:
        if len(text) >= _WHOLE_TOKENS_BELOW:
            yield text
            yield from _escaped(text)
            yield from _base64(text.encode("utf-8", "surrogatepass"))


def _escaped(text: str) -> Iterator[str]:
    encoded = text.encode("utf-8", "surrogatepass")
    written = {
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        html.escape(text),
        *(quote(encoded, safe) for safe in ("", "/")),
        quote_plus(encoded),
    }
    yield from written
    yield from _recased(written)


def _recased(texts: Iterable[str]) -> Iterator[str]:
    """The same with the hexadecimal digits of the escapes in either case."""
    for text in texts:
        yield _ESCAPES.sub(lambda escape: escape[0].lower(), text)
        yield _ESCAPES.sub(lambda escape: escape[0][:2] + escape[0][2:].upper(), text)


def _base64(value: bytes) -> Iterator[str]:
    """Standard and URL-safe, with and without padding; and the stable middle of it at each of the three alignments."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(value).decode()
        yield whole
        if len(whole.rstrip("=")) >= _WHOLE_TOKENS_BELOW:
            yield whole.rstrip("=")
        for offset in range(3):
            first, last = -(-offset * 8 // 6), (offset + len(value)) * 8 // 6
            if last - first >= _PIECES_FROM:
                yield encode(bytes(offset) + value)[first:last].decode()
