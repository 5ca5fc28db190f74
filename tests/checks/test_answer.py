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
