"""No redacted text contains a secret, however it was written."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crane_infra.redact import Redactor

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ/EFAASC\nBKcwggSjAgEAAoIBAQ+C7VJTUt9Us8cK\n-----END PRIVATE KEY-----\n"
VALUE = "p&ss/wörd+'1'"

# Markers are made of brackets; a value of several lines is hidden line by line, which other tests show.
characters = st.characters(exclude_characters="[]", exclude_categories=["Cs", "Cc", "Zl", "Zp"])
texts = st.text(characters, max_size=30)
values = st.text(characters, min_size=4, max_size=20).filter(str.strip)


@pytest.mark.parametrize(
    "written",
    [
        VALUE,
        json.dumps(VALUE)[1:-1],
        json.dumps(VALUE)[1:-1].replace("00f6", "00F6"),
        quote(VALUE, safe=""),
        quote(VALUE),
        quote(VALUE).lower(),
        quote_plus(VALUE),
        html.escape(VALUE),
        base64.b64encode(VALUE.encode()).decode(),
        base64.b64encode(VALUE.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
        base64.b32encode(VALUE.encode()).decode(),
        base64.b32encode(VALUE.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_goes_in_every_form(written: str) -> None:
    assert Redactor({"KEY": VALUE})(f"<{written}>") == "<[secret KEY]>"


@pytest.mark.parametrize("value", ["abcd", "k7-x9", "eleven-chars"])
def test_a_short_secret_goes_in_base32_as_well(value: str) -> None:
    written = base64.b32encode(value.encode()).decode()
    assert Redactor({"KEY": value})(f"<{written}>") == "<[secret KEY]>"


@pytest.mark.parametrize("user", ["u", "us", "usr"])
def test_a_secret_inside_longer_base64_is_replaced(user: str) -> None:
    value = "correct-horse-battery"
    basic = base64.b64encode(f"{user}:{value}".encode()).decode()
    shown = Redactor({"KEY": value})(f"Basic {basic}")
    assert "[secret KEY]" in shown
    assert len(shown.replace("[secret KEY]", "")) < len("Basic ") + 10


@pytest.mark.parametrize(
    "written", [PEM, PEM.strip(), PEM.replace("\n", "\r\n"), PEM.replace("\n", " "), PEM.replace("\n", "\\n"), repr(PEM)[1:-1], PEM[40:]]
)
def test_a_key_of_several_lines_is_replaced_whole_or_line_by_line(written: str) -> None:
    shown = Redactor({"PEM": PEM})(f"sent {written} end")
    assert "MII" not in shown
    assert "BKcw" not in shown
    assert shown.startswith("sent [secret PEM]") or written == PEM[40:]
    assert shown.endswith(" end")


def test_of_two_secrets_in_one_place_the_longer_one_is_named() -> None:
    redact = Redactor({"SHORT": "alpha", "LONG": "alpha-beta"})
    assert redact("alpha-beta alpha") == "[secret LONG] [secret SHORT]"


def test_secrets_that_overlap_are_replaced_together() -> None:
    assert Redactor({"A": "abcdef", "B": "defghi"})("<abcdefghi>") == "<[secret A]>"


def test_a_short_value_is_replaced_only_where_it_stands_alone() -> None:
    """If not, a secret "1" would make every text unreadable."""
    assert Redactor({"PIN": "1"})('v1 has 12 of {"pin":"1"} 1') == 'v1 has 12 of {"pin":"[secret PIN]"} [secret PIN]'


def test_empty_and_blank_values_are_not_secrets() -> None:
    assert Redactor({"EMPTY": "", "BLANK": " \n "})("a \n b") == "a \n b"


def test_the_name_of_a_secret_is_not_redacted() -> None:
    assert Redactor({"A": "secret", "B": "valuable"})("valuable secret") == "[secret B] [secret A]"


def test_a_redactor_does_not_print_its_secrets() -> None:
    assert VALUE not in repr(Redactor({"KEY": VALUE}))


@given(texts, st.lists(values, min_size=1, max_size=3), st.data())
def test_no_secret_is_left_wherever_it_was(padding: str, secrets: list[str], data: st.DataObject) -> None:
    forms = [
        lambda v: v,
        lambda v: json.dumps(v)[1:-1],
        lambda v: quote(v, safe=""),
        lambda v: base64.b64encode(v.encode()).decode(),
        html.escape,
    ]
    written = [data.draw(st.sampled_from(forms))(value) for value in data.draw(st.lists(st.sampled_from(secrets), min_size=1, max_size=4))]
    text = padding.join(["", *written, ""])
    left = re.split(r"\[secret N\d\]", Redactor({f"N{i}": value for i, value in enumerate(secrets)})(text))
    assert len(left) > 1
    assert not [form for form in (*written, *secrets) if any(form in part for part in left)]


@given(texts, values)
def test_other_text_stays_as_it_is(text: str, value: str) -> None:
    redact = Redactor({"KEY": value + "~unlikely"})
    assume(not _share_a_piece(text, value))
    assert redact(text) == text


def _share_a_piece(text: str, value: str) -> bool:
    flat = ["".join(part.casefold().split()) for part in (text, value)]
    bare = ["".join(character for character in part if character.isalnum()) for part in flat]
    return any(
        one[start : start + 8] in other or one[start : start + 8] in other[::-1]
        for one, other in (flat, bare)
        for start in range(len(one) - 7)
    )


LONG = "kE7-pq2_Zu9+wX4/hJ6=rT1.vN8~mB5"
HEX = LONG.encode().hex()
HALF = len(LONG) // 2


def twice(text: str, first: int, second: int) -> str:
    """A text in base64, in base64 once more, after this many other bytes each time; without the ends that hold other bytes too."""
    inner = base64.b64encode(b"x" * first + text.encode()).rstrip(b"=")
    return base64.b64encode(b"y" * second + inner[4 if first else 0 :]).decode().rstrip("=")[4 if second else 0 :]


class TestAPartOfASecret:
    """A part gives a secret away: an answer was cut in the middle of one, or somebody took it apart."""

    @pytest.mark.parametrize(
        "written",
        [
            HEX,
            HEX.upper(),
            HEX[:40],
            HEX[10:50],
            LONG.upper(),
            LONG.lower(),
            LONG[::-1],
            LONG[HALF:] + LONG[:HALF],
            LONG[:HALF][::-1] + LONG[HALF:][::-1],
            "\n".join(LONG[start : start + 7] for start in range(0, len(LONG), 7)),
            " ".join(HEX[start : start + 2] for start in range(0, len(HEX), 2)),
            ":".join(HEX[start : start + 2] for start in range(0, len(HEX), 2)),
            "".join(f"\\x{HEX[start : start + 2]}" for start in range(0, len(HEX), 2)),
            json.dumps(json.dumps(LONG)),
            quote(quote(LONG, safe=""), safe=""),
            quote(LONG[::-1], safe=""),
            quote("\n".join(LONG), safe=""),
            html.escape(html.escape(LONG)),
            LONG[:14],
            LONG[-14:],
            *(base64.b32encode(b"x" * offset + LONG.encode()).decode()[offset * 2 : 48] for offset in range(5)),
            base64.b32encode(LONG.encode()).decode().rstrip("=").lower(),
            *(twice(LONG, first, second) for first in range(3) for second in range(4)),
            base64.b64encode(HEX.encode()).decode(),
            base64.b64encode(base64.b32encode(LONG.encode())).decode(),
            base64.b64encode(quote(LONG, safe="").encode()).decode(),
            base64.b64encode(LONG[::-1].encode()).decode(),
            twice(LONG, 0, 0).replace("+", "-").replace("/", "_"),
            "\n".join(twice(LONG, 0, 0)[start : start + 20] for start in range(0, 60, 20)),
            json.dumps(LONG)[1:20],
            quote(LONG, safe="")[:24],
            *(base64.b64encode(b"x" * offset + LONG.encode())[4:28].decode() for offset in range(3)),
        ],
    )
    def test_is_hidden_as_well(self, written: str) -> None:
        shown = Redactor({"KEY": LONG})(f"<{written}>")
        left = [character for character in shown.replace("[secret KEY]", "") if character.isalnum()]
        assert "[secret KEY]" in shown
        assert len(left) < 3

    @pytest.mark.parametrize("length", range(8, len(LONG)))
    def test_is_hidden_where_the_text_was_cut(self, length: int) -> None:
        assert Redactor({"KEY": LONG})(f"the key is {LONG[:length]}") == "the key is [secret KEY]"

    @given(st.text(characters, min_size=12, max_size=40).filter(lambda text: text.split() == [text]), st.data())
    def test_of_twelve_characters_is_hidden_wherever_it_stands(self, value: str, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(value) - 12))
        piece = value[start : start + 12]
        assert piece not in Redactor({"KEY": value})(f"({piece})")

    def test_does_not_hide_the_header_of_another_key(self) -> None:
        assert Redactor({"PEM": PEM})("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"

    def test_of_a_short_one_does_not_hide_words(self) -> None:
        assert Redactor({"KEY": "production-1"})("the production stack") == "the production stack"
