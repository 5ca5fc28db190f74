"""An HTTP server that gives the recorded replies to the recorded requests, and keeps every unexpected request."""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import Server

API = "/client/v4"
ANY_BODY: Any = object()


LOST, BROKEN_OFF, PAGE = 0, 1, 2
"""Statuses of an exchange whose reply is not sent, or ends after its half, or is a page with status 403."""


@dataclass(frozen=True)
class Exchange:
    """One request and its reply. ``path`` is relative to the base URL; ``body`` is None if there was none."""

    method: str
    path: str
    body: Any
    status: int = 200
    reply: Any = None

    def answers(self, method: str, path: str, body: object) -> bool:
        """Whether this exchange matches a request."""
        return (self.method, self.path) == (method, path) and (self.body is ANY_BODY or self.body == body)


def recorded(exchange: dict[str, Any]) -> Exchange:
    """An exchange of the contract."""
    body = exchange["request"]
    return Exchange(exchange["method"], exchange["path"], None if body == "" else body, exchange["status"], exchange["response"])


def success(result: object) -> dict[str, Any]:
    return {"success": True, "errors": [], "messages": [], "result": result}


@dataclass
class Replay:
    """Serves each expected exchange once. Exchanges left in ``expected`` were never requested."""

    base_url: str = ""
    expected: list[Exchange] = field(default_factory=list)
    served: list[Exchange] = field(default_factory=list)
    unexpected: list[tuple[str, str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, exchanges: Iterable[Exchange]) -> None:
        """Forget all earlier exchanges and expect these."""
        self.expected, self.served, self.unexpected = list(exchanges), [], []

    def answer(self, method: str, path: str, body: object, token: str | None) -> tuple[int, Any]:
        """The reply to a request."""
        with self.lock:
            self.tokens.add(token)
            for exchange in self.expected:
                if exchange.answers(method, path, body):
                    self.expected.remove(exchange)
                    self.served.append(exchange)
                    return exchange.status, exchange.reply
            self.unexpected.append((method, path, body))
            return 400, {"success": False, "errors": [{"code": 1, "message": "not recorded"}], "messages": [], "result": None}


def _handler(replay: Replay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            path = self.path.removeprefix(API)
            status, reply = replay.answer(self.command, path, json.loads(content) if content else None, self.headers["authorization"])
            self.close_connection = status in (LOST, BROKEN_OFF)
            if status == PAGE:
                self.send(403, str(reply).encode(), whole=True)
            elif status != LOST:
                self.send(200 if status == BROKEN_OFF else status, json.dumps(reply).encode(), whole=status != BROKEN_OFF)

        def send(self, status: int, body: bytes, *, whole: bool) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if whole else body[: len(body) // 2])

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
            """Log nothing."""

    return Handler


@contextmanager
def replaying() -> Iterator[Replay]:
    """A replay on a free port."""
    replay = Replay()
    with Server(("127.0.0.1", 0), _handler(replay)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        replay.base_url = f"http://127.0.0.1:{server.server_address[1]}{API}"
        try:
            yield replay
        finally:
            server.shutdown()
            thread.join()
