"""An account that has whatever is adopted: each worker, never deployed, and each database, under the name it is expected to have.

Tests add what else it has, and what it does not answer.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from crane_infra import catalog
from crane_infra.data.seeds.of_catalog import seeds_of
from crane_infra.migrations.own_tables import CREATE_REFRESHES, CREATE_SEEDS, OURS, REFRESHES, SEEDS
from crane_infra.migrations.requests import prepare_request
from tests.http_server import Server
from tests.repository import ROOT

WORKER = {"subdomain": {"enabled": True, "previews_enabled": False}, "logpush": False, "tags": []}


@dataclass
class Account:
    """``databases`` are names by id, ``ledgers`` what is applied, by id; while ``answers_queries`` is false, no database answers.

    ``seeds`` are those that ran, each with its digest, and ``refreshes`` when one began and had replaced all rows, by the id of the database.

    ``class_tags`` and ``newest`` versions are by script; ``scripts`` are settings, ``serving`` the versions that serve, ``schedules`` crons, all by script; ``forbidden`` is a part of the paths
    that the token may not call.
    """

    url: str = ""
    databases: dict[str, str] = field(default_factory=dict)
    ledgers: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    seeds: dict[str, dict[str, str]] = field(default_factory=dict)
    refreshes: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    answers_queries: bool = True
    scripts: dict[str, dict[str, Any]] = field(default_factory=dict)
    serving: dict[str, dict[str, Any]] = field(default_factory=dict)
    schedules: dict[str, list[str]] = field(default_factory=dict)
    without_version: set[str] = field(default_factory=set)
    replication: dict[str, str] = field(default_factory=dict)
    forbidden: str = ""
    class_tags: dict[str, str] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)

    def remember(self, outputs: dict[str, Any]) -> None:
        """Let each database have what the newest proof of a stack's outputs says, and all seeds of the reference workers."""
        seeds = seeds_of(catalog.crane(), ROOT / "workers")
        for name, one in outputs["environment"]["databases"].items():
            self.seeds[one["id"]] = {seed.name: seed.sha256 for seed in seeds.get(name, ())}
            self.ledgers[one["id"]] = outputs["proofs"][0]["manifest"]["databases"][name]["migrations"]

    def answer(self, path: str, body: Any) -> Any:  # noqa: ANN401 (JSON)
        """The result of a call; None is 404."""
        kind, _, name = path.partition("?")[0].rpartition("/")
        of = kind.rpartition("/")[2]
        if kind.endswith(("/d1", "/d1/database")):
            return self._database(name) if of == "database" else []  # none has the name of one that is to be created
        match name:
            case "query":
                return self._query(of, body) if self.answers_queries else None
            case "deployments":
                versions = [{"version_id": self.serving.get(of, {}).get("id", "v"), "percentage": 100}]
                return {"deployments": [{"id": "d", "versions": versions}] if of in self.serving else []}
            case "schedules":
                return None if of in self.without_version else {"schedules": [{"cron": cron} for cron in self.schedules.get(of, [])]}
            case "versions":
                return {"items": [{"id": self.newest[of], "number": 2}] if of in self.newest else []}
        return self._worker(kind, of, name)

    def _worker(self, kind: str, of: str, name: str) -> Any:  # noqa: ANN401 (JSON)
        if of == "services":
            tag = {"migration_tag": self.class_tags[name]} if name in self.class_tags else {}
            return {"id": name, "default_environment": {"script": tag}}
        if of == "versions":
            return {"id": name, "created_on": "2026-11-24T12:00:00Z", **self.serving[kind.split("/")[-2]]}
        return {"id": name, "name": name, **WORKER, **self.scripts.get(name, {})}

    def _database(self, name: str) -> Any:  # noqa: ANN401 (JSON)
        replication = {"mode": self.replication.get(name, "disabled")}
        return {"uuid": name, "name": self.databases[name], "read_replication": replication} if name in self.databases else None

    def _query(self, database: str, body: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (JSON)
        with closing(sqlite3.connect(":memory:")) as db:
            db.row_factory = sqlite3.Row
            for one in self.ledgers.get(database, ()):
                for sql, params in prepare_request((), "", ""):
                    db.execute(sql, params)
                db.execute("INSERT INTO d1_migrations (name) VALUES (?)", (one["name"],))
                done = (one["name"], one["sha256"], "applied", "token", "release", "then", "then")
                db.execute(f"INSERT INTO {OURS} VALUES (?, ?, ?, ?, ?, NULL, ?, ?)", done)  # noqa: S608 - a name of ours
            if seeds := self.seeds.get(database):
                db.execute(CREATE_SEEDS)
                db.executemany(f"INSERT INTO {SEEDS} VALUES (?, ?, 'then')", seeds.items())  # noqa: S608 - a name of ours
            if database in self.refreshes:
                db.execute(CREATE_REFRESHES)
                db.execute(f"INSERT INTO {REFRESHES} VALUES ('token', ?, ?, NULL)", self.refreshes[database])  # noqa: S608
            asked = [db.execute(one["sql"], one["params"]).fetchall() for one in body["batch"]]
        return [{"results": [dict(row) for row in rows], "success": True, "meta": {}} for rows in asked]


@contextmanager
def serving(account: Account) -> Iterator[Account]:
    """Serve an account on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer in Cloudflare's envelope."""
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            allowed = not account.forbidden or account.forbidden not in self.path
            result = account.answer(self.path, json.loads(sent or "null")) if allowed else None
            errors = [] if result is not None else [{"code": code, "message": "not found"} for code in (10007, 7404)]
            body = json.dumps({"success": result is not None, "errors": errors, "messages": [], "result": result}).encode()
            self.send_response(403 if not allowed else 404 if result is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - named by the protocol

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    account.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
