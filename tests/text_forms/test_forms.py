"""A text is found again however it was written elsewhere."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text_forms import base32_forms, base64_forms, in_base64, json_forms, url_forms

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def test_json_is_written_with_and_without_escapes_for_what_is_not_ascii() -> None:
    assert list(json_forms('a"ö')) == ['a\\"\\u00f6', 'a\\"ö']


def test_urls_are_written_for_a_path_for_a_part_of_one_and_for_a_form() -> None:
    assert list(url_forms("a/b ö")) == ["a/b%20%C3%B6", "a%2Fb%20%C3%B6", "a%2Fb+%C3%B6"]


def test_a_text_of_half_a_character_is_written_too() -> None:
    assert list(url_forms("\ud800")) == ["%ED%A0%80"] * 3
    assert next(base64_forms("\ud800", 6)) == "7aCA"


@given(texts)
def test_whole_texts_are_found_in_every_form(text: str) -> None:
    content = text.encode()
    assert json.dumps(text)[1:-1] in json_forms(text)
    assert {quote(text), quote(text, safe=""), quote_plus(text)} == set(url_forms(text))
    assert {base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()} <= set(base64_forms(text, 6))


@given(st.binary(max_size=9), st.binary(max_size=9), st.text(min_size=8, max_size=30))
def test_a_text_inside_longer_base64_is_found_whatever_stands_around_it(before: bytes, after: bytes, text: str) -> None:
    content = before + text.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert any(form in encode(content).decode() for form in base64_forms(text, 6))


@given(st.binary(max_size=9), st.binary(max_size=9), st.text(min_size=8, max_size=30))
def test_a_text_inside_longer_base32_is_found_whatever_stands_around_it(before: bytes, after: bytes, text: str) -> None:
    assert any(form in base64.b32encode(before + text.encode() + after).decode() for form in base32_forms(text, 6))


@given(
    st.text("ab:/ ", max_size=9),
    st.binary(max_size=9),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=12, max_size=30),
)
def test_a_text_is_read_in_base64_with_the_places_of_its_letters(outside: str, before: bytes, text: str) -> None:
    content = base64.b64encode(b"\0" + before + b"\0" + text.encode()).decode()
    written = f"{outside}({content}) {outside}"
    read = [(inner.index(text), inner, places) for inner, places in in_base64(written, 12) if text in inner]
    start, inner, places = read[0]
    assert len(places) == len(inner) + 1
    piece = written[places[start] : places[start + len(text)]]
    assert len(text) * 4 / 3 <= len(piece) <= len(text) * 4 / 3 + 2


@pytest.mark.parametrize(("shortest", "pieces"), [(1, 6), (5, 4), (6, 0)])
def test_pieces_shorter_than_asked_for_are_left_out(shortest: int, pieces: int) -> None:
    """Inside longer base64, five, four or five characters of these four bytes stay the same; there are two alphabets."""
    assert len(list(base64_forms("abcd", shortest))) == 2 + pieces
