"""Which answers pass: objects may hold more than was asked for, all else is equal in type and value."""

import json

import pytest
from pydantic import JsonValue

from crane_infra.checks.answer import Answer, fault
from crane_infra.checks.model import Check


def judged(expected: dict[str, JsonValue], got: JsonValue) -> str | None:
    return fault(Check(name="x", path="/", json_includes=expected), Answer(200, json.dumps(got).encode()), None)


@pytest.mark.parametrize(
    ("declared", "got"),
    [
        ({}, {"more": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 1, "c": 2}, 2]}),
        ({"a": None}, {"a": None}),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_a_reply_may_hold_more(declared: dict[str, JsonValue], got: JsonValue) -> None:
    assert judged(declared, got) is None


@pytest.mark.parametrize(
    ("declared", "got", "why"),
    [
        ({"a": 1}, {}, "a is missing"),
        ({"a": None}, {}, "a is missing"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is different"),
        ({"a": [1]}, {"a": [1, 2]}, "a is different"),
        ({"a": [1, {"b": 1}]}, {"a": [1, {}]}, "a[1].b is missing"),
        ({"a": True}, {"a": 1}, "a is different"),
        ({"a": 0}, {"a": False}, "a is different"),
        ({"a": {}}, {"a": []}, "a is different"),
        ({"a": 1}, [{"a": 1}], "not a JSON object"),
    ],
)
def test_a_reply_that_lacks_something_is_described(declared: dict[str, JsonValue], got: JsonValue, why: str) -> None:
    assert judged(declared, got) == why


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"<html>", b"[" * 200_000])
def test_a_body_that_is_not_json_does_not_pass(body: bytes) -> None:
    assert fault(Check(name="x", path="/", json_includes={}), Answer(200, body), None) == "not JSON"


def test_the_body_does_not_matter_where_the_check_declares_none() -> None:
    assert fault(Check(name="x", path="/", status=204), Answer(204, b"\xff"), None) is None


@pytest.mark.parametrize(
    ("reply", "why"), [({"id": "v1"}, "id names another version"), ({}, "id is missing"), ({"id": None}, "id names another version")]
)
def test_only_the_expected_version_passes(reply: dict[str, JsonValue], why: str) -> None:
    check = Check(name="x", path="/", version_at="id")
    assert fault(check, Answer(200, b'{"id":"v2"}'), "v2") is None
    assert fault(check, Answer(200, json.dumps(reply).encode()), "v2") == why
    assert fault(check, Answer(200, b'{"id":null}'), None) is not None


WITHIN: dict[str, JsonValue] = {"data": {"items": [{"id": 7}, {"id": None}], "count": 3, "ok": True}, "kind": "note v2"}


@pytest.mark.parametrize(
    "expected",
    [
        {"json_has": ("data", "data.items[1].id", "kind")},
        {"json_at_least": {"data.count": 3, "data.items[0].id": 6.5}},
        {"json_matches": {"kind": r"^note v\d+$"}},
        {"body_matches": r'"count":\s*3'},
        {"json_matches": {"kind": "V2|v2"}, "json_has": ("data.ok",), "json_includes": {"kind": "note v2"}},
    ],
    ids=repr,
)
def test_places_numbers_and_patterns_are_found(expected: dict[str, JsonValue]) -> None:
    check = Check.model_validate({"name": "x", "path": "/", **expected})
    assert fault(check, Answer(200, json.dumps(WITHIN).encode()), None) is None


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ({"json_has": ("data.items[2]",)}, "data.items[2] is missing"),
        ({"json_has": ("kind.x",)}, "kind.x is missing"),
        ({"json_at_least": {"data.count": 4}}, "data.count is less than 4"),
        ({"json_at_least": {"data.ok": 0}}, "data.ok is not a number"),
        ({"json_at_least": {"kind": 0}}, "kind is not a number"),
        ({"json_at_least": {"data.sum": 0}}, "data.sum is missing"),
        ({"json_matches": {"kind": "^v2"}}, "kind does not match"),
        ({"json_matches": {"data.count": "3"}}, "data.count is not a text"),
        ({"body_matches": "count = 3"}, "the body does not match"),
    ],
    ids=repr,
)
def test_a_place_a_number_or_a_pattern_that_is_not_there_is_described(expected: dict[str, JsonValue], why: str) -> None:
    check = Check.model_validate({"name": "x", "path": "/", **expected})
    assert fault(check, Answer(200, json.dumps(WITHIN).encode()), None) == why


def test_no_answer_makes_a_pattern_take_long() -> None:
    """Python's own expressions would look at this body for longer than the universe is old."""
    check = Check(name="x", path="/", body_matches="^(a+)+$")
    assert fault(check, Answer(200, b"a" * 100_000 + b"!"), None) == "the body does not match"


def test_one_of_several_statuses_is_enough() -> None:
    check = Check(name="x", path="/", status=(200, 204))
    assert [fault(check, Answer(status, b""), None) for status in (200, 204, 201)] == [None, None, "status 201"]
