"""The log of calls: what was asked of the REST API and answered, and which statements D1 executed.

It lives in memory alone: nothing of it is ever written to a file. It holds the last 20,000 calls, of these the last 64 MiB of
headers and bodies, and counts of 100,000 different statements. Once it had to forget something, a question about it raises
OverflowedError instead of answering "never". The Authorization header is left out; so are calls to workers at
the edge.
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
    """The log has forgotten something that the question is about."""


@dataclass
class Call:
    """One call: told in ``told()``; its contents stay here."""

    number: int
    at: str
    method: str
    path: str
    route: str
    status: int | None = None
    fault: str | None = None
    parts: dict[str, bytes] = field(default_factory=dict, repr=False)

    def told(self) -> dict[str, Any]:
        """Tell about the call; ``status`` is None where no reply was sent, or none yet."""
        return {name: getattr(self, name) for name in ("number", "at", "method", "path", "route", "status", "fault")}


class CallLog:
    """Every call since the last reset, in the order in which they came."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._calls: deque[Call] = deque()
        self._with_parts: deque[Call] = deque()
        self._came = self._bytes = 0
        self._forgot_calls = self._forgot_parts = self._forgot_statements = 0
        self._executed: dict[bytes, dict[str, int]] = {}

    def begin(self, request: Request, route: str, path: str) -> Call:
        """Log a call that has come."""
        self._came += 1
        call = Call(self._came, stamp(), request.method, path, route)
        self._calls.append(call)
        if len(self._calls) > _CALLS:
            self._calls.popleft()
            self._forgot_calls += 1
        return call

    def end(self, call: Call, request: Request, body: bytes, response: Response) -> None:
        """Log what came with a call, and its reply."""
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
        self._forget_parts()

    def executed(self, database: str, statement: str) -> None:
        """Count a statement that was executed and committed on a database."""
        digest = _digest(statement)
        if digest not in self._executed and len(self._executed) >= _STATEMENTS:
            self._forgot_statements += 1
            return
        counts = self._executed.setdefault(digest, {})
        counts[database] = counts.get(database, 0) + 1

    def calls(self) -> list[dict[str, Any]]:
        """Tell about every call; raises OverflowedError if some are forgotten."""
        _complete(self._forgot_calls, "calls")
        return [call.told() for call in self._calls]

    def executions(self, statement: str, database: str | None) -> int:
        """Tell how often a statement was executed and committed, on one database or on all; raises OverflowedError if that is not known.

        White space around it and its last semicolon do not matter; everything else does.
        """
        counts = self._executed.get(_digest(statement))
        if counts is None:
            _complete(self._forgot_statements, "executed statements")
            return 0
        return sum(counts.values()) if database is None else counts.get(database, 0)

    def seen(self, text: str) -> list[dict[str, Any]]:
        """Tell in which calls a text stood, in which part and form. Raises OverflowedError if contents are forgotten, ValueError for a short text.

        A call that is under way is not looked through: its contents come with its end.
        """
        wanted = forms(text)
        found = [sighting for call in tuple(self._with_parts) for sighting in _sightings(call, wanted)]
        _complete(self._forgot_parts, "the contents of calls")
        return found

    def _forget_parts(self) -> None:
        while self._bytes > _BYTES or len(self._with_parts) > _CALLS:
            oldest = self._with_parts.popleft()
            self._bytes -= _size(oldest)
            oldest.parts = {}
            self._forgot_parts += 1


def _headers(kind: str, headers: Headers) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, value in headers:
        if name.lower() != _LEFT_OUT:
            part = f"{kind} {name.decode('latin-1').lower()}"
            found[part] = found[part] + b"\n" + value if part in found else value
    return found


def _size(call: Call) -> int:
    return sum(len(content) + _PART_OVERHEAD for content in call.parts.values())


def _sightings(call: Call, wanted: dict[bytes, str]) -> Iterator[dict[str, Any]]:
    for part, content in call.parts.items():
        form = next((name for written, name in wanted.items() if written in content), None)
        if form is not None:
            yield {**call.told(), "part": part, "form": form}


def _digest(statement: str) -> bytes:
    return hashlib.sha256(statement.strip().removesuffix(";").rstrip().encode()).digest()


def _complete(forgotten: int, what: str) -> None:
    if forgotten:
        raise OverflowedError(f"the log had to forget {what} ({forgotten} of them). Reset it nearer to what is looked at")
