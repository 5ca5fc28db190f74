"""Decides whether an answer is the one that a check or a step declares, and describes it in one line. Pure.

Strict where JSON and Python are lax: `true` does not pass for 1, nor an HTML page with status 200 for JSON.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import JsonValue

from crane_infra.checks.expected import Expected
from crane_infra.checks.patterns import matches
from crane_infra.checks.places import NOTHING, Nothing, value_at
from crane_infra.checks.question import Question
from crane_infra.redact import Redactor

_SHOWN = 200
_READ = 1 << 16
"""Bytes of a body that are looked through before its beginning is shown: the rest of a megabyte would take seconds."""


class Answer(NamedTuple):
    """The answer of a worker: the status, the body, and the target of a redirect."""

    status: int
    body: bytes
    location: str | None = None

    def summary(self, redact: Redactor) -> str:
        """The answer in one line of limited length, without secrets."""
        # Redacted before it is cut: a secret cut in two would not be recognised.
        target = f" to {in_one_line(redact(self.location))}" if self.location else ""
        body = in_one_line(redact(self.body[:_READ].decode("utf-8", "replace")))
        return f"{self.status}{target} {body}" if body else f"{self.status}{target} with an empty body"

    @property
    def json(self) -> JsonValue | Nothing:
        """The body as JSON; NOTHING where it is none."""
        try:
            value: JsonValue = json.loads(self.body)
        except (ValueError, RecursionError):
            return NOTHING
        return value


def expectation(question: Question, version_id: str | None) -> str:
    """The answer that is waited for, in one line. ``version_id`` is the expected version."""
    statuses = question.status if isinstance(question.status, tuple) else (question.status,)
    parts = [" or ".join(map(str, statuses))]
    if question.version_at:
        parts.append(f"{question.version_at} = {version_id}")
    if question.json_includes is not None:
        parts.append(f"JSON with {json.dumps(question.json_includes, ensure_ascii=False, sort_keys=True)}")
    parts += [f"JSON with {place}" for place in question.json_has]
    parts += [f"{place} of at least {least:g}" for place, least in question.json_at_least.items()]
    parts += [f"{place} matching {pattern}" for place, pattern in question.json_matches.items()]
    if question.body_matches is not None:
        parts.append(f"a body matching {question.body_matches}")
    return ", ".join(parts)


def fault(question: Question, answer: Answer, version_id: str | None) -> str | None:
    """Why the answer does not pass; None if it does. ``version_id`` is the expected version."""
    if not is_expected_status(question, answer.status):
        return f"status {answer.status}"
    if question.body_matches is not None and not matches(question.body_matches, answer.body.decode("utf-8", "replace")):
        return "the body does not match"
    return _json_fault(question, answer.json, version_id) if question.needs_json or question.version_at else None


def is_expected_status(question: Question, status: int) -> bool:
    """Whether a status is one that passes."""
    return status in (question.status if isinstance(question.status, tuple) else (question.status,))


def names_other_version(question: Question, answer: Answer, version_id: str | None) -> bool:
    """Whether the answer should name the expected version and does not."""
    return question.version_at is not None and _other_version(question, answer.json, version_id) is not None


def in_one_line(text: str) -> str:
    """The beginning of a text in one line of printable characters, at most 200 of them."""
    line = one_line(text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}… ({len(line)} characters)"


def one_line(text: str) -> str:
    """A text in one line of printable characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _json_fault(question: Question, reply: JsonValue | Nothing, version_id: str | None) -> str | None:
    if isinstance(reply, Nothing):
        return "not JSON"
    if (question.json_includes is not None or question.version_at) and not isinstance(reply, dict):
        return "not a JSON object"
    if why := _other_version(question, reply, version_id):
        return why
    includes = None if question.json_includes is None else _missing(dict(question.json_includes), reply, "")
    return includes or next(_faults_at_places(question, reply), None)


def _other_version(question: Question, reply: JsonValue | Nothing, version_id: str | None) -> str | None:
    key = question.version_at
    if key is None:
        return None
    if not isinstance(reply, dict) or key not in reply:
        return f"{key} is missing"
    return None if version_id is not None and reply[key] == version_id else f"{key} names another version"


def _missing(expected: JsonValue, got: JsonValue, path: str) -> str | None:
    """Where ``got`` differs: an object may hold more than ``expected``, everything else is equal in type and value."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            below = f"{path}.{key}".removeprefix(".")
            if key not in got:
                return f"{below} is missing"
            if why := _missing(value, got[key], below):
                return why
        return None
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got, strict=True))
        return next((why for index, pair in pairs if (why := _missing(*pair, f"{path}[{index}]"))), None)
    return None if expected == got and isinstance(expected, bool) == isinstance(got, bool) else f"{path} is different"


def _faults_at_places(expected: Expected, reply: JsonValue) -> Iterator[str]:
    for place in (*expected.json_has, *expected.json_at_least, *expected.json_matches):
        if isinstance(value_at(place, reply), Nothing):
            yield f"{place} is missing"
    for place, least in expected.json_at_least.items():
        number = value_at(place, reply)
        if isinstance(number, bool) or not isinstance(number, int | float):
            yield f"{place} is not a number"
        elif not number >= least:
            yield f"{place} is less than {least:g}"
    for place, pattern in expected.json_matches.items():
        text = value_at(place, reply)
        if not isinstance(text, str):
            yield f"{place} is not a text"
        elif not matches(pattern, text):
            yield f"{place} does not match"
