"""What a value becomes: the same one for the same value, kind and key, and another one for any other value (pure).

HMAC-SHA256 under one key, one derived key for each kind. Whole numbers and tokens are permuted by a Feistel network, so that two of
them never become one; the other masks keep 52 bits or more. A masked value cannot be turned back without the key.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from crane_infra.config.data_rules import Mask

Value = bytes | int | float | None
"""A value as SQLite has it. A text is its bytes, since a database may hold text that is not UTF-8."""
SHORTEST_KEY = 16
"""Characters."""
_FIRST_PRINTABLE = ord(" ")
_DIGEST = 32
"""Bytes of one HMAC-SHA256."""
_ROUNDS = 6
_LONGEST_PERMUTED = 256
"""Characters. A longer token is as good as never the same as another one, and large numbers are slow."""
_EXACT = 2**52
"""Whole numbers below it stay below it: JavaScript counts exactly up to 2**53."""
_DIGITS, _LOWER, _UPPER = b"0123456789", b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEX, _UPPER_HEX = b"0123456789abcdef", b"0123456789ABCDEF"
_BASE = b"abcdefghijklmnopqrstuvwxyz234567"
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_SYLLABLES = [a + b for a in _CONSONANTS for b in _VOWELS]


@dataclass(frozen=True)
class Masker:
    """One mask under one key."""

    mask: Mask
    secret: bytes

    @cached_property
    def _key(self) -> bytes:
        return hmac.digest(self.secret, f"crane {self.mask.kind}".encode(), "sha256")

    def text(self, value: bytes) -> bytes:
        """A text in place of a text."""
        return _TEXTS[self.mask.how](self, value)

    def other(self, value: Value) -> Value:
        """A value in place of one that is no text, of the same type where the mask is ``hash`` or ``token``."""
        if value is None:
            return None
        if self.mask.how in ("email", "name"):
            return self.text(repr(value).encode())
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return float(int.from_bytes(self.digest(repr(value).encode())[:6]))
        return self._stretched(value, len(value))

    def digest(self, value: bytes) -> bytes:
        """The HMAC of a value."""
        return hmac.digest(self._key, value, "sha256")

    def _integer(self, value: int) -> int:
        if 0 <= value < _EXACT:
            left, right = permuted(self._round, *divmod(value, 2**26), 2**26, 2**26)
            return left * 2**26 + right
        while True:  # a permutation of all 64 bits, until it leaves the range above
            left, right = permuted(self._round, *divmod(value + 2**63, 2**32), 2**32, 2**32)
            value = left * 2**32 + right - 2**63
            if not 0 <= value < _EXACT:
                return value

    def _round(self, number: int, half: int, moduli: tuple[int, int]) -> int:
        return int.from_bytes(self.digest(b"%d %d %d %d" % (number, half, *moduli)))

    def _stretched(self, value: bytes, length: int) -> bytes:
        """So many bytes that depend on all of a value."""
        seed = self.digest(value)
        blocks = (hmac.digest(seed, b"%d" % number, "sha256") for number in range(length // _DIGEST + 1))
        return b"".join(blocks)[:length]

    def token(self, value: bytes) -> bytes:
        """A text of as many characters: digits for digits, letters for letters, hexadecimal for hexadecimal; signs stay."""
        alphabets = _alphabets(value)
        if alphabets is None:  # not ASCII: letters in place of everything
            length = len(value.decode("utf-8", "replace"))
            return bytes(_LOWER[byte % 26] for byte in self._stretched(value, length))
        if len(value) > _LONGEST_PERMUTED:
            stretched = self._stretched(value, len(value))
            chosen = zip(value, alphabets, stretched, strict=True)
            return bytes(alphabet[byte % len(alphabet)] if alphabet else char for char, alphabet, byte in chosen)
        signs = bytes(char for char, alphabet in zip(value, alphabets, strict=True) if not alphabet)
        middle = len(value) // 2
        halves = [(value[:middle], alphabets[:middle]), (value[middle:], alphabets[middle:])]
        (left, m_left), (right, m_right) = (_number(*half) for half in halves)
        shape = b"%d %s" % (len(value), signs)

        def round_of(number: int, half: int, moduli: tuple[int, int]) -> int:
            message = b"%d %d %d %d %s" % (number, half, *moduli, shape)
            size = max(moduli).bit_length() // 8 + 8  # with more bits than the modulus has, its remainder is even
            return int.from_bytes(self.digest(message) if size <= _DIGEST else self._stretched(message, size))

        left, right = permuted(round_of, left, right, m_left, m_right)
        return _written(left, *halves[0]) + _written(right, *halves[1])

    def name(self, value: bytes) -> bytes:
        """Two words that look like a name, and are nobody's."""
        digest = self.digest(value)
        number = int.from_bytes(digest[:16])
        syllables: list[str] = []
        for _ in range(9):
            number, index = divmod(number, len(_SYLLABLES))
            syllables.append(_SYLLABLES[index])
        return " ".join("".join(part).capitalize() for part in (syllables[:4], syllables[4:])).encode()

    def hash(self, value: bytes) -> bytes:
        """27 letters and digits; the first is a letter, so that no column takes it for a number."""
        return b"x" + bytes(_BASE[byte % 32] for byte in self.digest(value)[:26])

    def email(self, value: bytes) -> bytes:
        """An address of example.com, which nobody can receive mail at."""
        return bytes(_BASE[byte % 32] for byte in self.digest(value)[:16]) + b"@example.com"


_TEXTS: dict[str, Callable[[Masker, bytes], bytes]] = {
    "hash": Masker.hash,
    "email": Masker.email,
    "name": Masker.name,
    "token": Masker.token,
}
Round = Callable[[int, int, tuple[int, int]], int]


def permuted(round_of: Round, left: int, right: int, m_left: int, m_right: int) -> tuple[int, int]:
    """Permute pairs of numbers below two moduli: each step adds to one half what depends on the other, which can be undone with the key."""
    moduli = (m_left, m_right)
    for number in range(_ROUNDS):
        left = (left + round_of(2 * number, right, moduli)) % m_left
        right = (right + round_of(2 * number + 1, left, moduli)) % m_right
    return left, right


def _alphabets(value: bytes) -> list[bytes] | None:
    """What each character may become, empty for a sign that stays; None for a text that is not ASCII."""
    if not value.isascii() or any(char < _FIRST_PRINTABLE for char in value):
        return None
    letters = bytes(char for char in value if chr(char).isalpha())
    for alphabet in (_HEX, _UPPER_HEX):
        if letters and all(char in alphabet for char in letters):
            return [alphabet if char in alphabet else b"" for char in value]
    return [next((alphabet for alphabet in (_DIGITS, _LOWER, _UPPER) if char in alphabet), b"") for char in value]


def _number(text: bytes, alphabets: Sequence[bytes]) -> tuple[int, int]:
    """A text as a number in mixed radix, and how many such texts there are."""
    number, many = 0, 1
    for char, alphabet in zip(text, alphabets, strict=True):
        if alphabet:
            number, many = number * len(alphabet) + alphabet.index(char), many * len(alphabet)
    return number, many


def _written(number: int, text: bytes, alphabets: Sequence[bytes]) -> bytes:
    """The text for a number, with the signs of ``text``."""
    out = bytearray(text)
    for place in reversed(range(len(text))):
        if alphabets[place]:
            number, index = divmod(number, len(alphabets[place]))
            out[place] = alphabets[place][index]
    return bytes(out)
