"""A D1 REST API over real SQLite, on a real socket: one transaction per request, and a script of what goes wrong.

``script`` queues one action for each coming request of a kind; an action gets ``execute`` (run the statements, build the reply) and
returns a Reply, or None to drop the connection. Without an action a request is served as Cloudflare would.
"""

import json
import sqlite3
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from crane_infra.d1.api import connect
from crane_infra.d1.client import D1
from tests.http_server import Server

ACCOUNT = "11111111111111111111111111111111"
DATABASE = "22222222-2222-2222-2222-222222222222"
NAME = "crane-test-db-staging"
TOKEN = "canary-token-5d41402a"


@dataclass(frozen=True)
class Reply:
    """What goes back. ``cut`` announces more bytes than are sent."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


Execute = Callable[[], Reply]
Action = Callable[[Execute], Reply | None]


def drop_unread(_execute: Execute) -> None:
    """The connection breaks before anything is done."""


def drop_after_commit(execute: Execute) -> None:
    """Everything is done, and the reply is lost."""
    execute()


def serve(execute: Execute) -> Reply:
    """Nothing goes wrong."""
    return execute()


def say(status: int, body: object = "<html>error</html>", headers: dict[str, str] | None = None) -> Action:
    """Answer so, and do nothing."""
    return lambda _execute: Reply(status, body, headers or {})


def failed(code: int, message: str) -> dict[str, object]:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": []}


def done(result: object) -> dict[str, object]:
    return {"success": True, "errors": [], "messages": [], "result": result}


class D1Server:
    """One database behind one base URL."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.scripts: defaultdict[str, deque[Action]] = defaultdict(deque)
        self.requests: list[tuple[str, list[dict[str, Any]]]] = []
        self.base_url = ""

    def script(self, kind: str, *actions: Action) -> None:
        """Queue what happens to the coming requests of a kind: read, write or bookmark."""
        self.scripts[kind].extend(actions)

    def sql(self, text: str, *params: object) -> list[tuple[Any, ...]]:
        """Run SQL as somebody else would, past the API."""
        with self.lock:
            return self.sqlite.execute(text, params).fetchall()

    def names(self, table: str = "d1_migrations") -> list[str]:
        """The names in a ledger table, in the order they were written."""
        return [name for (name,) in self.sql(f"SELECT name FROM {table} ORDER BY rowid")]  # noqa: S608

    def count(self, kind: str) -> int:
        """How many requests of a kind arrived."""
        return sum(one == kind for one, _ in self.requests)

    def answer(self, method: str, path: str, token: str, body: bytes) -> Reply | None:
        """Serve one request."""
        if token != f"Bearer {TOKEN}":
            return Reply(401, failed(10000, f"Authentication error with {token}"))
        if path.partition("?")[0].endswith("/time_travel/bookmark") and method == "GET":
            return self._act("bookmark", [], self._bookmark)
        if f"/accounts/{ACCOUNT}/d1/database/{DATABASE}/query" not in path:
            return Reply(404, failed(7404, "The database could not be found"))
        sent = json.loads(body)
        batch = sent.get("batch", [sent])
        kind = "read" if all(one["sql"].lstrip().upper().startswith("SELECT") for one in batch) else "write"
        return self._act(kind, batch, lambda: self.transaction(batch))

    def transaction(self, batch: list[dict[str, Any]]) -> Reply:
        """All statements, or none."""
        with self.lock:
            self.sqlite.execute("BEGIN IMMEDIATE")
            try:
                results = [self._statement(one) for one in batch]
            except sqlite3.Error as error:
                self.sqlite.execute("ROLLBACK")
                return Reply(400, failed(7500, f"{error}: SQLITE_ERROR"))
            self.sqlite.execute("COMMIT")
        return Reply(200, done(results))

    def not_atomic(self, _execute: Execute) -> Reply:
        """Run each statement of the request by itself, up to the first that fails."""
        with self.lock:
            try:
                results = [self._statement(one) for one in self.requests[-1][1]]
            except sqlite3.Error as error:
                return Reply(400, failed(7500, f"{error}: SQLITE_ERROR"))
        return Reply(200, done(results))

    def careless(self, _execute: Execute) -> Reply:
        """Run every statement by itself, and say success although one failed."""
        results: list[dict[str, object]] = []
        with self.lock:
            for one in self.requests[-1][1]:
                try:
                    results.append(self._statement(one))
                except sqlite3.Error as error:
                    results.append({"success": False, "error": str(error), "results": [], "meta": {}})
        return Reply(200, done(results))

    def _bookmark(self) -> Reply:
        """The number of files in the ledger, whose tables may be made at the same moment."""
        has_ledger = self.sql("SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'")
        return Reply(200, done({"bookmark": f"bookmark-{len(self.names()) if has_ledger else 0}"}))

    def _act(self, kind: str, batch: list[dict[str, Any]], execute: Execute) -> Reply | None:
        self.requests.append((kind, batch))
        action = self.scripts[kind].popleft() if self.scripts[kind] else serve
        return action(execute)

    def _statement(self, one: dict[str, Any]) -> dict[str, object]:
        cursor = self.sqlite.execute(one["sql"], one.get("params", []))
        columns = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        return {"success": True, "results": rows, "meta": {"changes": max(cursor.rowcount, 0)}}


@contextmanager
def running() -> Iterator[D1Server]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    database = D1Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two cost 40 ms a reply

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = database.answer(self.command, self.path, self.headers.get("authorization", ""), body)
            if reply is None or reply.cut:
                self.close_connection = True
            if reply is not None:
                self._send(reply)

        do_POST = do_GET  # noqa: N815 - a name that the base class looks for

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            kind = "text/html" if isinstance(reply.body, str) else "application/json"
            for name, value in {"content-type": kind, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.content) + (100 if reply.cut else 0)))
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
            """Stay silent."""

    with Server(("127.0.0.1", 0), Handler) as http:
        database.base_url = f"http://127.0.0.1:{http.server_port}/client/v4"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield database
        finally:
            http.shutdown()
            thread.join()
            database.sqlite.close()


@asynccontextmanager
async def connected(server: D1Server, *, token: str = TOKEN, database_id: str = DATABASE) -> AsyncIterator[D1]:
    """A client of its own, over HTTP."""
    async with connect(server.base_url, token) as client:
        yield D1(client, ACCOUNT, database_id, NAME)
