"""The log of calls to the REST API and their replies, and of the statements that D1 executed.

It is kept in memory and never written to a file. It holds the last 20,000 calls, the last 64 MiB of their headers and bodies, and counts
of 100,000 different statements. Once it has dropped any, questions about them raise OverflowedError instead of answering "never". It
leaves out the Authorization header and calls to workers at the edge.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.clock import stamp
from local_cloud.faults.encodings import forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

_CALLS, _BYTES, _STATEMENTS = 20_000, 64 * 1024 * 1024, 100_000
_PART_OVERHEAD = 200
_LEFT_OUT = b"authorization"
Headers = list[tuple[bytes, bytes]]


class OverflowedError(Exception):
    """The log has dropped something that the question is about."""


@dataclass
class Call:
    """One call; ``summary()`` leaves out its contents."""

    number: int
    at: str
    method: str
    path: str
    route: str
    status: int | None = None
    fault: str | None = None
    parts: dict[str, bytes] = field(default_factory=dict, repr=False)

    def summary(self) -> dict[str, Any]:
        """Give the call without its contents; ``status`` is None if no reply was sent, or not yet."""
        return {name: getattr(self, name) for name in ("number", "at", "method", "path", "route", "status", "fault")}


class CallLog:
    """Every call since the last reset, in order of arrival."""

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Clear the log."""
        self._calls: deque[Call] = deque()
        self._with_parts: deque[Call] = deque()
        self._count = self._bytes = 0
        self._dropped_calls = self._dropped_parts = self._dropped_statements = 0
        self._executed: dict[bytes, dict[str, int]] = {}

    def begin(self, request: Request, route: str, path: str) -> Call:
        """Log a call when it arrives."""
        self._count += 1
        call = Call(self._count, stamp(), request.method, path, route)
        self._calls.append(call)
        if len(self._calls) > _CALLS:
            self._calls.popleft()
            self._dropped_calls += 1
        return call

    def end(self, call: Call, request: Request, body: bytes, response: Response) -> None:
        """Log a call's contents and its reply."""
        call.status = response.status_code or None
        target = request.scope.get("raw_path", b"") + b"?" + request.scope["query_string"]
        call.parts = {
            "path": target,
            **_headers("request header", request.headers.raw),
            "request body": body,
            **_headers("reply header", response.raw_headers if call.status else []),
            "reply body": bytes(response.body),
        }
        self._with_parts.append(call)
        self._bytes += _size(call)
        self._drop_parts()

    def executed(self, database: str, statement: str) -> None:
        """Count a statement that was executed and committed on a database."""
        self.executed_digest(database, digest_of(statement))

    def executed_digest(self, database: str, digest: bytes) -> None:
        """Count a statement by its digest, where it is not kept in memory."""
        if digest not in self._executed and len(self._executed) >= _STATEMENTS:
            self._dropped_statements += 1
            return
        counts = self._executed.setdefault(digest, {})
        counts[database] = counts.get(database, 0) + 1

    def calls(self) -> list[dict[str, Any]]:
        """Give every call; raises OverflowedError if some were dropped."""
        _complete(self._dropped_calls, "calls")
        return [call.summary() for call in self._calls]

    def executions(self, statement: str, database: str | None) -> int:
        """Give how often a statement was executed and committed, on one database or on all; raises OverflowedError if that is not known.

        Ignores white space around it and its last semicolon, and nothing else.
        """
        counts = self._executed.get(digest_of(statement))
        if counts is None:
            _complete(self._dropped_statements, "executed statements")
            return 0
        return sum(counts.values()) if database is None else counts.get(database, 0)

    def seen(self, text: str) -> list[dict[str, Any]]:
        """Give the calls that contained a text, each with the part and the form. Raises OverflowedError if contents were dropped.

        Raises ValueError for a text that is too short. Calls under way are left out: their contents are logged at their end.
        """
        text_forms = forms(text)
        sightings = [sighting for call in tuple(self._with_parts) for sighting in _sightings(call, text_forms)]
        _complete(self._dropped_parts, "the contents of calls")
        return sightings

    def _drop_parts(self) -> None:
        while self._bytes > _BYTES or len(self._with_parts) > _CALLS:
            oldest = self._with_parts.popleft()
            self._bytes -= _size(oldest)
            oldest.parts = {}
            self._dropped_parts += 1


def _headers(kind: str, headers: Headers) -> dict[str, bytes]:
    joined: dict[str, bytes] = {}
    for name, value in headers:
        if name.lower() != _LEFT_OUT:
            part = f"{kind} {name.decode('latin-1').lower()}"
            joined[part] = joined[part] + b"\n" + value if part in joined else value
    return joined


def _size(call: Call) -> int:
    return sum(len(content) + _PART_OVERHEAD for content in call.parts.values())


def _sightings(call: Call, text_forms: dict[bytes, str]) -> Iterator[dict[str, Any]]:
    for part, content in call.parts.items():
        form = next((name for written, name in text_forms.items() if written in content), None)
        if form is not None:
            yield {**call.summary(), "part": part, "form": form}


def digest_of(statement: str) -> bytes:
    """Give what the log knows a statement by."""
    return hashlib.sha256(statement.strip().removesuffix(";").rstrip().encode()).digest()


def _complete(dropped: int, what: str) -> None:
    if dropped:
        raise OverflowedError(f"the log has dropped {what} ({dropped} of them). Reset it shortly before the calls to look at")
