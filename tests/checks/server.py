"""A real HTTP server that answers from a script, for the tests of checks."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from re import fullmatch

from crane_infra.checks.request import Target

ONE_TRY, LONG = 60, 3600
"""A deadline that no try needs, however slow the machine is, and a first pause after which no second try fits into it."""


@dataclass(frozen=True)
class Reply:
    """What the server answers once; the last reply of a path is given for good. Without a status it hangs up."""

    status: int | None = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answers = Reply | Callable[[Seen], Reply]


class Server(ThreadingHTTPServer):
    """Answers each path from its own script, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        self._scripts: dict[str, Iterator[Answers]] = {}
        self._lock = threading.Lock()

    def script(self, path: str, *replies: "Answers") -> None:
        self._scripts.pop(path, None)
        self._scripts[path] = itertools.chain(replies, itertools.repeat(replies[-1]))

    def next(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            script = next((script for pattern, script in reversed(self._scripts.items()) if fullmatch(pattern, seen.path)), None)
            reply = next(script) if script else Reply(404, b'{"error":"not found"}')
        return reply if isinstance(reply, Reply) else reply(seen)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def target(self, version_id: str | None = "v2", **secrets: str) -> Target:
        return Target("crane-context-staging", self.url, version_id, secrets)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.next(Seen(self.command, self.path, headers, body))
        if reply.status is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        with suppress(ConnectionError):  # who asked may have gone
            self.end_headers()
            self.wfile.write(reply.body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keeps quiet."""
