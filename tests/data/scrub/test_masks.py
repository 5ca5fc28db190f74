"""A mask gives one value for one value, two values for two, and keeps type, length and signs where it says so."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.config.data_rules import How, Json, Mask, mask_of
from crane_infra.data.scrub.json_paths import JsonMasker
from crane_infra.data.scrub.masks import Masker

SECRET = b"a key of the tests"
INTEGERS = st.integers(-(2**63), 2**63 - 1)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.one_of(PRINTABLE, st.text(max_size=400)).map(lambda text: text.encode("utf-8", "surrogatepass"))


def masker(how: How, kind: str = "", secret: bytes = SECRET) -> Masker:
    mask = mask_of(how)
    assert mask
    return Masker(mask.model_copy(update={"kind": kind}) if kind else mask, secret)


@given(st.lists(INTEGERS, unique=True, min_size=2))
def test_two_whole_numbers_never_become_one_and_small_ones_stay_exact_in_javascript(numbers: list[int]) -> None:
    masked = [masker("hash").other(number) for number in numbers]
    assert len(set(masked)) == len(numbers)
    assert all(isinstance(n, int) and -(2**63) <= n < 2**63 for n in masked)
    assert all(0 <= n < 2**52 for n, before in zip(masked, numbers, strict=True) if 0 <= before < 2**52 and isinstance(n, int))


@given(st.lists(PRINTABLE, unique=True, min_size=2))
def test_two_tokens_never_become_one_and_keep_length_and_signs(tokens: list[str]) -> None:
    masked = [masker("token").text(token.encode()).decode() for token in tokens]
    assert [len(token) for token in masked] == [len(token) for token in tokens]
    signs = [[(place, char) for place, char in enumerate(token) if not char.isalnum()] for token in (*tokens, *masked)]
    assert signs[: len(tokens)] == signs[len(tokens) :]
    shapes = {char.isdigit() for token in tokens for char in token}
    if shapes == {True}:
        assert len(set(masked)) == len(tokens)


@pytest.mark.parametrize("pattern", ["{:03d}", "order-{:02d}"])
def test_all_tokens_of_one_shape_are_only_put_in_another_order(pattern: str) -> None:
    tokens = [pattern.format(number) for number in range(1000 if "3" in pattern else 100)]
    masked = [masker("token").text(token.encode()).decode() for token in tokens]
    digits = [token.split("-")[-1] for token in masked]
    assert len(set(masked)) == len(tokens)
    assert any(one > other for one, other in pairwise(digits))


def test_an_identifier_of_hexadecimal_digits_stays_one() -> None:
    masked = masker("token").text(b"3f2a9c1e-0b7d-4e55-9a10-aabbccddeeff").decode()
    assert [len(part) for part in masked.split("-")] == [8, 4, 4, 4, 12]
    assert set(masked) <= set("0123456789abcdef-")


@given(VALUES, st.sampled_from(["hash", "email", "name", "token"]))
def test_the_same_value_becomes_the_same_under_one_key_and_kind_only(value: bytes, how: How) -> None:
    masked = masker(how).text(value)
    assert masked == masker(how).text(value)
    assert len(masked.decode()) == len(value.decode("utf-8", "replace")) or how != "token"
    if how != "token":
        assert len({masked, masker(how, "another").text(value), masker(how, secret=b"another key").text(value), value}) == 4


@given(st.one_of(st.none(), INTEGERS, st.floats(allow_nan=False), st.binary(min_size=8)))
def test_what_is_no_text_keeps_its_type(value: bytes | float | None) -> None:
    masked = masker("hash").other(value)
    assert type(masked) is type(value)
    assert masked != value or value is None
    assert not isinstance(value, bytes) or (isinstance(masked, bytes) and len(masked) == len(value))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(JSON)
def test_json_keeps_its_shape_and_no_value_without_a_path(value: object) -> None:
    masked = json.loads(JsonMasker(Json(), SECRET).text(json.dumps(value).encode()))
    assert _shape(masked) == _shape(value)
    assert _leaves(masked) <= {None}


def test_json_paths_with_wildcards_and_what_lies_below_them() -> None:
    rule = Json(paths={"$.items[*].id": "keep", "$.user": Mask(how="hash", kind="user"), "$.labels.*": "keep"}, rest="null")
    text = b'{"items":[{"id":1,"n":"x"},{"id":2}],"user":{"mail":"a@b.c","on":true},"labels":{"a":"b"},"other":[1.5]}'
    masked = JsonMasker(rule, SECRET).text(text).decode()
    hashed = Masker(Mask(how="hash", kind="user"), SECRET).text(b"a@b.c").decode()
    expected = '{"items":[{"id":1,"n":null},{"id":2}],"user":{"mail":"' + hashed + '","on":null},"labels":{"a":"b"},"other":[null]}'
    assert masked == expected
    assert list(JsonMasker(rule, SECRET).hidden(text)) == ["x", "a@b.c"]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_becomes_null(text: bytes) -> None:
    assert JsonMasker(Json(rest="keep"), SECRET).text(text) == b"null"


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    return [_shape(inner) for inner in value] if isinstance(value, list) else None


def _leaves(value: object) -> set[object]:
    if isinstance(value, dict | list):
        return {leaf for inner in (value.values() if isinstance(value, dict) else value) for leaf in _leaves(inner)}
    return {value}
