"""Decides whether an answer is the one that a check declares, and describes it in one line. Pure.

Strict where JSON and Python are lax: `true` does not pass for 1, nor an HTML page with status 200 for JSON.
"""

import json
from dataclasses import dataclass

from pydantic import JsonValue

from crane_infra.checks.model import Check
from crane_infra.redact import Redactor

_SHOWN = 200


@dataclass(frozen=True)
class Answer:
    """The answer of a worker: the status, the body, and the target of a redirect."""

    status: int
    body: bytes
    location: str | None = None

    def summary(self, redact: Redactor) -> str:
        """The answer in one line of limited length, without secrets."""
        # Redacted before it is cut: a secret cut in two would not be recognised.
        target = f" to {_short(redact(self.location))}" if self.location else ""
        body = _short(redact(self.body.decode("utf-8", "replace")))
        return f"{self.status}{target} {body}" if body else f"{self.status}{target} with an empty body"


def expectation(check: Check, version_id: str | None) -> str:
    """The answer that a check waits for, in one line. ``version_id`` is the expected version."""
    parts = [str(check.status)]
    if check.version_at:
        parts.append(f"{check.version_at} = {version_id}")
    if check.json_includes is not None:
        parts.append(f"JSON with {json.dumps(check.json_includes, ensure_ascii=False, sort_keys=True)}")
    return ", ".join(parts)


def fault(check: Check, answer: Answer, version_id: str | None) -> str | None:
    """Why the answer does not pass; None if it does. ``version_id`` is the expected version."""
    if answer.status != check.status:
        return f"status {answer.status}"
    if check.json_includes is None and check.version_at is None:
        return None
    try:
        reply = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(reply, dict):
        return "not a JSON object"
    if check.version_at and (version_id is None or reply.get(check.version_at) != version_id):
        return f"{check.version_at} names another version" if check.version_at in reply else f"{check.version_at} is missing"
    return _missing(dict(check.json_includes or {}), reply, "")


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


def _short(text: str) -> str:
    """The text in one line of printable characters, at most 200 of them."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}… ({len(line)} characters)"
