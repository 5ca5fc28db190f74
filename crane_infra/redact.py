"""Takes secret values out of a text before anyone sees it.

A server or a library may echo a value in another form. The redactor finds a value as it is; escaped for JSON, Python or HTML; URL-encoded; in
hexadecimal; in base32 and base64, also inside a longer text; in any of these forms once more in base64; backwards; in other letters, upper or lower case; and with other line breaks or none.
Of each of these it finds any piece of twelve characters, and a piece of eight at the very end, where somebody else may have cut the text. It
finds a piece of twelve letters and digits whatever else stands between them, and also where the whole was escaped once more.

It does not find a value that is hashed, encrypted, compressed, or encoded three times, and it only looks for the secrets that it was given.
Redact first and shorten afterwards: a short piece of a secret is not recognised.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping

from text_forms import base32_forms, base64_forms, hexadecimal_form, in_base64, json_forms, url_forms

# A shorter value ("1", "on") would also blank out unrelated text, so it is only replaced where it stands alone.
_SHORTEST_PART_OF_A_WORD = 4
# The same for a piece of a value, however it is written.
_SHORTEST_PIECE = 12
# At the end of a text, where it may have been cut.
_SHORTEST_BEGINNING = 8

# What hides a letter or a digit, what stands for another sign, and a letter or a digit itself. Backslashes and percent signs may be escaped again.
_WRITTEN = re.compile(
    r"%(?:25)*([0-7][0-9A-Fa-f])|\\+(?:u00|x)([0-7][0-9A-Fa-f])|\\+[abfnrtv]|&(?:amp;)*(?:amp|lt|gt|quot|apos|#x?[0-9A-Fa-f]{1,6});|([^\W_])"
)
_HEXADECIMAL_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}")


class Redactor:
    """Replaces every occurrence of the given secrets by ``[secret NAME]``.

    Occurrences that overlap are replaced together, under the name of the first. A value of fewer than four characters is replaced
    only as it is, and only where no letter, digit or underscore touches it. An empty or blank value is not a secret.
    """

    __slots__ = ("_bare_pieces", "_beginnings", "_names", "_pattern", "_pieces")

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """``secrets`` maps the names to show to the values to hide."""
        self._names: dict[str, str] = {}
        for name, value in secrets.items():
            for form in _forms(value) if value.strip() else ():
                self._names.setdefault(form, name)
        self._pieces: dict[str, str] = {}
        self._bare_pieces: dict[str, str] = {}
        self._beginnings: dict[str, str] = {}
        for name, value in secrets.items():
            for form in _part_forms(value):
                for pieces, text in ((self._pieces, _flat(form)), (self._bare_pieces, _bare(form))):
                    for start in range(len(text) - _SHORTEST_PIECE + 1):
                        pieces.setdefault(text[start : start + _SHORTEST_PIECE], name)
            for form in map(_flat, _part_forms(value)):
                self._beginnings |= {form[:stop]: name for stop in range(_SHORTEST_BEGINNING, min(len(form), _SHORTEST_PIECE))}
        longest_first = sorted(self._names, key=lambda form: (-len(form), form))
        # A lookahead consumes nothing, so it also reports occurrences that overlap.
        self._pattern = re.compile(f"(?=({'|'.join(map(_regex, longest_first))}))") if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        shown: list[str] = []
        end = 0
        for start, stop, name in self._occurrences(text):
            shown += text[end:start], f"[secret {name}]"
            end = stop
        return "".join((*shown, text[end:]))

    def _occurrences(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where secrets stand, as start, stop and name; occurrences that overlap are merged into one."""
        current: tuple[int, int, str] | None = None
        places = (*self._whole(text), *self._parts(text), *self._bare_parts(text), *self._in_base64(text))
        for start, stop, name in sorted(places, key=lambda place: (place[0], -place[1])):
            if current and start < current[1]:
                current = (current[0], max(current[1], stop), current[2])
                continue
            if current:
                yield current
            current = (start, stop, name)
        if current:
            yield current

    def _whole(self, text: str) -> Iterator[tuple[int, int, str]]:
        for match in self._pattern.finditer(text) if self._pattern else ():
            yield (*match.span(1), self._names[match[1]])

    def _parts(self, text: str) -> Iterator[tuple[int, int, str]]:
        if not self._pieces:
            return
        flat, places = _flat_with_places(text)
        for start in range(len(flat) - _SHORTEST_PIECE + 1):
            stop = start + _SHORTEST_PIECE
            if name := self._pieces.get(flat[start:stop]):
                yield places[start], places[stop - 1] + 1, name
        for length in range(min(_SHORTEST_PIECE - 1, len(flat)), _SHORTEST_BEGINNING - 1, -1):
            if name := self._beginnings.get(flat[-length:]):
                yield places[-length], len(text), name
                return

    def _bare_parts(self, text: str) -> Iterator[tuple[int, int, str]]:
        if not self._bare_pieces:
            return
        bare, places = _bare_with_places(text)
        for start in range(len(bare) - _SHORTEST_PIECE + 1):
            stop = start + _SHORTEST_PIECE
            if name := self._bare_pieces.get(bare[start:stop]):
                yield places[start][0], places[stop - 1][1], name

    def _in_base64(self, text: str) -> Iterator[tuple[int, int, str]]:
        """What is found in the texts that stand in base64 within this one. A whole form of few characters would be found by chance."""
        for inner, places in in_base64(text, _SHORTEST_PIECE) if self._pattern else ():
            whole = (place for place in self._whole(inner) if place[1] - place[0] >= _SHORTEST_BEGINNING)
            for start, stop, name in (*whole, *self._parts(inner), *self._bare_parts(inner)):
                yield places[start], places[stop], name


def _bare_with_places(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The letters and digits of the text in one case, without escapes, and where in the text each of them stands."""
    characters: list[tuple[str, tuple[int, int]]] = []
    for match in _WRITTEN.finditer(text):
        code = match[1] or match[2]
        shown = chr(int(code, 16)) if code else match[3] or ""
        characters += [(folded, match.span()) for folded in shown.casefold() if folded.isalnum()]
    return "".join(character for character, _ in characters), [place for _, place in characters]


def _bare(text: str) -> str:
    return _bare_with_places(text)[0]


def _flat(text: str) -> str:
    """The text in one case and without white space."""
    return "".join(text.casefold().split())


def _flat_with_places(text: str) -> tuple[str, list[int]]:
    """The flat text, and where in the text each of its characters comes from."""
    characters = [(folded, place) for place, character in enumerate(text) if not character.isspace() for folded in character.casefold()]
    return "".join(folded for folded, _ in characters), [place for _, place in characters]


def _part_forms(value: str) -> set[str]:
    """Each way to write a value of which a piece gives it away. The header and footer of a PEM key do not."""
    lines = [line for line in _lines(value) if not line.startswith("-----")]
    whole = "".join(lines)
    if len(whole) < _SHORTEST_PART_OF_A_WORD:
        return set()
    written = {form for text in (whole, *lines) for form in (text, *_escaped(text))}
    coded = {form for text in (value, whole, *lines) for form in (*_base64(text), hexadecimal_form(text))}
    coded.update(form for text in (value, whole) for form in _base32(text))
    return {*written, *coded, whole[::-1]}


def _regex(form: str) -> str:
    literal = re.escape(form)
    return literal if len(form) >= _SHORTEST_PART_OF_A_WORD else rf"(?<!\w){literal}(?!\w)"


def _forms(value: str) -> Iterator[str]:
    """Every form in which the value may appear."""
    if len(value) < _SHORTEST_PART_OF_A_WORD:
        yield value
        return
    for text in (*_layouts(value), *_long_lines(value)):
        if len(text) >= _SHORTEST_PART_OF_A_WORD:
            yield text
            yield from _escaped(text)
            yield from _base64(text)
    if len(value) < _SHORTEST_PIECE:  # a longer one is found piece by piece
        yield from _base32(value)


def _layouts(value: str) -> Iterator[str]:
    """The whole value, with and without the blanks around it, and with its line breaks written differently."""
    lines = _lines(value)
    yield value
    yield value.strip()
    yield "\n".join(lines)
    yield "\r\n".join(lines)
    yield " ".join(value.split())
    yield "".join(value.split())


def _long_lines(value: str) -> Iterator[str]:
    """The lines that say enough to be part of the secret; the header and footer of a PEM key do not."""
    yield from (line for line in _lines(value) if len(line) >= _SHORTEST_PIECE and not line.startswith("-----"))


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines()]


def _escaped(text: str) -> Iterator[str]:
    escaped = (*json_forms(text), repr(text)[1:-1], html.escape(text), *url_forms(text))
    yield from escaped
    yield from _in_either_case(escaped)


def _in_either_case(texts: Iterable[str]) -> Iterator[str]:
    """The texts with the hexadecimal digits of their escapes in lower case, and in upper case."""
    for text in texts:
        yield _HEXADECIMAL_ESCAPE.sub(lambda escape: escape[0].lower(), text)
        yield _HEXADECIMAL_ESCAPE.sub(lambda escape: escape[0][:2] + escape[0][2:].upper(), text)


def _base32(text: str) -> Iterator[str]:
    """The text in base32, with its padding and without."""
    return _with_padding_and_without(base32_forms(text, _SHORTEST_PIECE))


def _base64(text: str) -> Iterator[str]:
    """The text in base64, with its padding and without."""
    return _with_padding_and_without(base64_forms(text, _SHORTEST_PIECE))


def _with_padding_and_without(forms: Iterable[str]) -> Iterator[str]:
    for form in forms:
        yield form
        if len(form.rstrip("=")) >= _SHORTEST_PART_OF_A_WORD:
            yield form.rstrip("=")
