"""An account that has whatever is adopted: each worker, never deployed, and each database, under the name it is expected to have."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORKER = {"subdomain": {"enabled": True, "previews_enabled": False}, "logpush": False, "tags": []}


@dataclass
class Account:
    """``databases`` are names by id; while ``answers_queries`` is false, no database answers."""

    url: str = ""
    databases: dict[str, str] = field(default_factory=dict)
    answers_queries: bool = True

    def answer(self, path: str) -> Any:  # noqa: ANN401 (JSON)
        """The result of a call; None is 404."""
        kind, _, name = path.partition("?")[0].rpartition("/")
        if kind.endswith("/d1/database"):
            return {"uuid": name, "name": self.databases[name]} if name in self.databases else None
        if name == "query":
            return [{"results": [], "success": True, "meta": {}}] if self.answers_queries else None
        found: dict[str, Any] = {"deployments": {"deployments": []}, "schedules": {"schedules": []}}
        return found.get(name, {"id": name, "name": name, **WORKER})


@contextmanager
def serving(account: Account) -> Iterator[Account]:
    """Serve an account on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer in Cloudflare's envelope."""
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            result = account.answer(self.path)
            body = json.dumps({"success": result is not None, "errors": [], "messages": [], "result": result}).encode()
            self.send_response(404 if result is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - named by the protocol

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
