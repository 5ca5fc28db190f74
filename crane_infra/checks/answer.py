"""Judges an answer: is it what a check declares, and how is it told in one line. Pure.

Sends nothing. Prevents `true` from passing for 1, an HTML page with status 200 from passing for JSON, and a long or binary
reply from filling an error text.
"""

import json
from dataclasses import dataclass

from pydantic import JsonValue

from crane_infra.checks.model import Check
from crane_infra.redact import Redactor

_SHOWN = 200


@dataclass(frozen=True)
class Answer:
    """What a worker answered: the status, the body, and where a redirect points."""

    status: int
    body: bytes
    location: str | None = None

    def told(self, redact: Redactor) -> str:
        """The answer in a few words, without secrets."""
        # Redacted before it is shortened: a secret cut in half would not be found.
        target = f" to {_short(redact(self.location))}" if self.location else ""
        body = _short(redact(self.body.decode("utf-8", "replace")))
        return f"{self.status}{target} {body}" if body else f"{self.status}{target} with an empty body"


def expectation(check: Check, version_id: str | None) -> str:
    """What a check waits for, in a few words."""
    parts = [str(check.status)]
    if check.version_at:
        parts.append(f"{check.version_at} = {version_id}")
    if check.json_includes is not None:
        parts.append(f"JSON with {json.dumps(check.json_includes, ensure_ascii=False, sort_keys=True)}")
    return ", ".join(parts)


def fault(check: Check, answer: Answer, version_id: str | None) -> str | None:
    """Why the answer does not pass, or None if it does."""
    if answer.status != check.status:
        return f"status {answer.status}"
    if check.json_includes is None and check.version_at is None:
        return None
    try:
        reply = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(reply, dict):
        return "no JSON object"
    if check.version_at and (version_id is None or reply.get(check.version_at) != version_id):
        return f"{check.version_at} is of another version" if check.version_at in reply else f"{check.version_at} is missing"
    return _missing(dict(check.json_includes or {}), reply, "")


def _missing(wanted: JsonValue, got: JsonValue, path: str) -> str | None:
    """Where ``got`` lacks what is wanted: objects may hold more, everything else is equal in type and value."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, value in wanted.items():
            below = f"{path}.{key}".removeprefix(".")
            if key not in got:
                return f"{below} is missing"
            if why := _missing(value, got[key], below):
                return why
        return None
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        pairs = enumerate(zip(wanted, got, strict=True))
        return next((why for index, pair in pairs if (why := _missing(*pair, f"{path}[{index}]"))), None)
    return None if wanted == got and isinstance(wanted, bool) == isinstance(got, bool) else f"{path} is different"


def _short(text: str) -> str:
    """One line of printable characters, at most 200 of them."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}… ({len(line)} characters)"
