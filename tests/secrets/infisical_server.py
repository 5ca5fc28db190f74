"""Infisical's API on a real socket, as far as it is documented: both logins, the list of a folder, one secret by its name, and its errors.

``script`` queues what happens to the coming requests of a kind (login, list, secret, github) in place of the usual answer.
"""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from crane_infra.config.infisical import InfisicalSettings
from crane_infra.secrets.infisical import GithubOidc, Patience, UniversalAuth
from tests.http_server import Server

PROJECT = "11111111-2222-4333-8444-555555555555"
IDENTITY = "99999999-2222-4333-8444-555555555555"
CLIENT, CLIENT_SECRET, TOKEN, JWT, BEARER = "client-1", "canary-client-secret", "canary-access-token", "canary.jwt.token", "canary-bearer"
UNIVERSAL = UniversalAuth(CLIENT, CLIENT_SECRET)
QUICK = Patience(call=60.0, whole=120.0, pause=0.001)
HURRIED = Patience(call=3.0, whole=120.0, pause=0.001)
"""For a server that hangs: any other answer comes in less, even on a slow machine."""
HIDDEN = "<hidden-by-infisical>"


@dataclass(frozen=True)
class Answer:
    """A reply; ``body`` as text is sent as it is."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass
class Stored:
    """A secret of a folder."""

    value: str
    version: int = 1
    updated: str = "2026-09-01T10:00:00.000Z"
    hidden: bool = False


@dataclass(frozen=True)
class Request:
    """What was asked."""

    kind: str
    name: str
    query: dict[str, str]


HANG, DRIP, DROP = "hang", "drip", "drop"
Scripted = Answer | str | Callable[[], Answer | None]


def failure(status: int, error: str, message: str) -> Answer:
    """An error in the shape that Infisical gives it. It echoes a secret, which the real one may do as well."""
    return Answer(status, {"reqId": "req-1", "statusCode": status, "message": f"{message} {CLIENT_SECRET} {TOKEN}", "error": error})


class Infisical:
    """One project. ``folders`` are secrets by place and name; ``imports`` are places by the place that imports them, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.api = "v4"
        self.folders: dict[str, dict[str, Stored]] = {"dev:/vc/staging": {}}
        self.imports: dict[str, list[str]] = {}
        self.requests: list[Request] = []
        self.scripts: defaultdict[str, deque[Scripted]] = defaultdict(deque)
        self.lock = threading.Lock()
        self.end = threading.Event()

    def settings(self, **changes: object) -> InfisicalSettings:
        """The settings of a stack whose secrets are here."""
        place = {"project": PROJECT, "environment": "dev", "path": "/vc/staging", "site": self.url, "api": self.api}
        return InfisicalSettings.model_validate(place | changes)

    def github(self, audience: str | None = None) -> GithubOidc:
        """The login of a job on GitHub, whose token service is here, too."""
        return GithubOidc(IDENTITY, f"{self.url}/github/token?api-version=2.0", BEARER, audience)

    def put(self, place: str = "dev:/vc/staging", **values: str) -> None:
        """Store values; one that is there gets a new version."""
        folder = self.folders.setdefault(place, {})
        for name, value in values.items():
            folder[name] = Stored(value, folder[name].version + 1 if name in folder else 1)

    def script(self, kind: str, *actions: Scripted) -> None:
        """Queue what happens to the coming requests of a kind."""
        self.scripts[kind].extend(actions)

    def asked(self, kind: str) -> list[str]:
        """The names that requests of a kind were about, in any order."""
        return sorted(request.name for request in self.requests if request.kind == kind)

    def answer(self, path: str, authorization: str, body: bytes) -> Scripted:
        """Answer one request."""
        parts, query = urlsplit(path).path, {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        base = {"v4": "/api/v4/secrets", "v3": "/api/v3/secrets/raw"}[self.api]
        kind = {"/api/v1/auth": "login", "/github/token": "github"}.get("/".join(parts.split("/")[:4]))
        kind = kind or (
            "github" if parts == "/github/token" else "list" if parts == base else "secret" if parts.startswith(base) else "none"
        )
        name = unquote(parts.rpartition("/")[2]) if kind == "secret" else ""
        with self.lock:
            self.requests.append(Request(kind, name, query))
            action = self.scripts[kind].popleft() if self.scripts[kind] else None
        if callable(action):
            action = action()
        return action if action is not None else self._usual(kind, parts, query, authorization, json.loads(body or b"null"), name)

    def _usual(self, kind: str, path: str, query: dict[str, str], authorization: str, body: Any, name: str) -> Answer:  # noqa: ANN401
        if kind == "github":
            return Answer(200, {"value": JWT}) if authorization == f"Bearer {BEARER}" else Answer(401, "unauthorized")
        if kind == "login":
            right = {
                "/api/v1/auth/universal-auth/login": {"clientId": CLIENT, "clientSecret": CLIENT_SECRET},
                "/api/v1/auth/oidc-auth/login": {"identityId": IDENTITY, "jwt": JWT},
            }
            if body != right.get(path):
                return failure(401, "UnauthorizedError", "Invalid credentials")
            return Answer(200, {"accessToken": TOKEN, "expiresIn": 7200, "accessTokenMaxTTL": 43244, "tokenType": "Bearer"})
        if kind == "none":
            return Answer(404, {"message": f"Route GET:{path} not found", "error": "Not Found", "statusCode": 404})
        return self._read(kind, query, authorization, name)

    def _read(self, kind: str, query: dict[str, str], authorization: str, name: str) -> Answer:
        if authorization != f"Bearer {TOKEN}":
            return failure(401, "TokenError", "Your token is invalid")
        if query.get("projectId" if self.api == "v4" else "workspaceId") != PROJECT:
            return failure(404, "NotFound", "Project not found")
        place = f"{query['environment']}:{query['secretPath']}"
        return self._list(place, query) if kind == "list" else self._secret(place, name, query)

    def _list(self, place: str, query: dict[str, str]) -> Answer:
        shown = query.get("viewSecretValue", "true") == "true"
        listed = [self._shown(name, stored, place, visible=shown) for name, stored in self.folders.get(place, {}).items()]
        imports = [
            {
                "secretPath": other.partition(":")[2],
                "environment": other.partition(":")[0],
                "folderId": "f",
                "secrets": [self._shown(name, stored, other, visible=shown, imported=True) for name, stored in self.folders[other].items()],
            }
            for other in self.imports.get(place, [])
        ]
        return Answer(200, {"secrets": listed, "imports": imports})

    def _secret(self, place: str, name: str, query: dict[str, str]) -> Answer:
        places = [place, *reversed(self.imports.get(place, []))] if query.get("includeImports") == "true" else [place]
        for other in places:
            if (stored := self.folders.get(other, {}).get(name)) is not None:
                return Answer(200, {"secret": self._shown(name, stored, other, visible=query.get("viewSecretValue", "true") == "true")})
        return failure(404, "NotFound", f"Secret with name '{name}' not found")

    def _shown(self, name: str, stored: Stored, place: str, *, visible: bool, imported: bool = False) -> dict[str, Any]:
        hidden = stored.hidden or not visible
        dates = {} if imported else {"createdAt": "2026-01-01T10:00:00.000Z", "updatedAt": stored.updated}
        environment, _, path = place.partition(":")
        return {
            "id": "id",
            "_id": "id",
            "workspace": PROJECT,
            "environment": environment,
            "secretPath": path,
            "version": stored.version,
            "type": "shared",
            "secretKey": name,
            "secretValue": HIDDEN if hidden else stored.value,
            "secretValueHidden": hidden,
            "secretComment": "",
            **dates,
        }


@contextmanager
def running() -> Iterator[Infisical]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    infisical = Infisical()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = infisical.answer(self.path, self.headers.get("authorization", ""), body)
            if isinstance(reply, Answer):
                self._send(reply)
            elif reply == HANG:
                infisical.end.wait()
            elif reply == DRIP:
                with suppress(OSError):
                    self._drip()
            self.close_connection = self.close_connection or not isinstance(reply, Answer)

        do_POST = do_GET  # noqa: N815 - a name that the base class looks for

        def _drip(self) -> None:
            """Send a byte now and then, so that no single read takes long."""
            self.send_response(200)
            self.send_header("content-length", "100000")
            self.end_headers()
            while not infisical.end.wait(0.02):
                self.wfile.write(b" ")
                self.wfile.flush()

        def _send(self, reply: Answer) -> None:
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with Server(("127.0.0.1", 0), Handler) as http:
        infisical.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield infisical
        finally:
            infisical.end.set()
            http.shutdown()
            thread.join()
