"""GitHub's REST API on this machine, as far as the workflows call it: comments, issues, artifacts, releases, in pages, with redirects.

It knows the author of whatever is written, wants the token, and sends downloads to another host, as the real one does.
"""

import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from crane_infra.github.sticky import BOT
from tests.http_server import Server

REPOSITORY, TOKEN = "owner/crane", "canary-github-token"
Json = dict[str, Any]
Given = dict[str, str]


@dataclass
class Hub:
    """What the repository holds, and what was asked of it."""

    comments: dict[int, list[Json]] = field(default_factory=dict)
    issues: list[Json] = field(default_factory=list)
    artifacts: list[Json] = field(default_factory=list)
    releases: list[Json] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    seen_elsewhere: list[str | None] = field(default_factory=list)
    """The Authorization headers that reached the other host."""
    refuses: int | None = None
    """Answer every write with this status."""
    page: int = 2
    """The most entries of a page, whatever is asked for."""
    address: str = ""
    elsewhere: str = ""
    heads: Callable[[str], str | None] = lambda _branch: None
    """The newest commit of a branch."""

    def store(self, name: str, content: bytes, commit: str, *, repository: int = 1, expired: bool = False) -> None:
        """Store an artifact of one file, as a run at ``commit`` does."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("release.tar", content)
        run = {"head_sha": commit, "repository_id": 1, "head_repository_id": repository}
        self.artifacts.insert(0, {"id": self._keep(packed.getvalue()), "name": name, "expired": expired, "workflow_run": run})

    def add(self, pull: int, body: str, author: str = BOT) -> Json:
        """A comment."""
        there = self.comments.setdefault(pull, [])
        comment = {"id": 1000 * pull + len(there), "body": body, "user": {"login": author}, "html_url": f"https://github.test/{pull}"}
        there.append(comment)
        return comment

    def open(self, title: str, body: str, author: str = BOT) -> Json:
        """An issue."""
        number = len(self.issues) + 1
        issue = {"number": number, "title": title, "body": body, "state": "open", "user": {"login": author}}
        self.issues.append({**issue, "html_url": f"https://github.test/issues/{number}"})
        return self.issues[-1]

    def _keep(self, content: bytes) -> int:
        self.files[len(self.files) + 1] = content
        return len(self.files)

    # What a call does

    def list_comments(self, pull: str, _given: Given, _body: Json) -> Any:  # noqa: ANN401
        return self.comments.get(int(pull), [])

    def make_comment(self, pull: str, _given: Given, body: Json) -> Json:
        return self.add(int(pull), body["body"])

    def change_comment(self, number: str, _given: Given, body: Json) -> Json:
        (found,) = [one for there in self.comments.values() for one in there if one["id"] == int(number)]
        found.update(body)
        return found

    def list_issues(self, given: Given, _body: Json) -> Any:  # noqa: ANN401
        return [one for one in self.issues if one["state"] == given["state"] and one["user"]["login"] == given["creator"]]

    def make_issue(self, _given: Given, body: Json) -> Json:
        return self.open(body["title"], body["body"])

    def change_issue(self, number: str, _given: Given, body: Json) -> Json:
        (found,) = [one for one in self.issues if one["number"] == int(number)]
        found.update(body)
        return found

    def find_branch(self, name: str, _given: Given, _body: Json) -> Json | None:
        head = self.heads(unquote(name))
        return {"name": name, "commit": {"sha": head}} if head else None

    def list_artifacts(self, given: Given, _body: Json) -> Any:  # noqa: ANN401
        return [one for one in self.artifacts if one["name"] == given["name"]]

    def list_releases(self, _given: Given, _body: Json) -> Any:  # noqa: ANN401
        return self.releases

    def find_release(self, tag: str, _given: Given, _body: Json) -> Json | None:
        return next((one for one in self.releases if one["tag_name"] == tag), None)

    def make_release(self, _given: Given, body: Json) -> Json:
        upload = f"{self.address}/upload/{len(self.releases)}{{?name,label}}"
        self.releases.append({**body, "assets": [], "upload_url": upload})
        return self.releases[-1]

    def upload(self, release: str, given: Given, body: Any) -> Json:  # noqa: ANN401
        asset = {"id": self._keep(body), "name": given["name"]}
        self.releases[int(release)]["assets"].append(asset)
        return asset


BASE = f"/repos/{REPOSITORY}"
ROUTES = {
    f"GET {BASE}/issues/(\\d+)/comments": Hub.list_comments,
    f"POST {BASE}/issues/(\\d+)/comments": Hub.make_comment,
    f"PATCH {BASE}/issues/comments/(\\d+)": Hub.change_comment,
    f"GET {BASE}/issues": Hub.list_issues,
    f"POST {BASE}/issues": Hub.make_issue,
    f"PATCH {BASE}/issues/(\\d+)": Hub.change_issue,
    f"GET {BASE}/branches/([^/]+)": Hub.find_branch,
    f"GET {BASE}/actions/artifacts": Hub.list_artifacts,
    f"GET {BASE}/releases": Hub.list_releases,
    f"GET {BASE}/releases/tags/([^/]+)": Hub.find_release,
    f"POST {BASE}/releases": Hub.make_release,
    r"POST /upload/(\d+)": Hub.upload,
}
DOWNLOADS = (f"{BASE}/actions/artifacts/(\\d+)/zip", f"{BASE}/releases/assets/(\\d+)")


class Handler(BaseHTTPRequestHandler):
    """One host; ``hub`` is what it serves."""

    hub: ClassVar[Hub]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Api(Handler):
    """The API's host."""

    def do_GET(self) -> None:
        """Find the call, look whether it may be made, make it."""
        path, given = urlsplit(self.path).path, {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.calls.append(f"{self.command} {path}")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, b'{"message": "Bad credentials"}')
        elif self.hub.refuses and self.command != "GET":
            self.answer(self.hub.refuses, b'{"message": "Resource not accessible by integration"}')
        elif file := next((found for form in DOWNLOADS if (found := re.fullmatch(form, path))), None):
            self.answer(302, b"", Location=f"{self.hub.elsewhere}/{file[1]}")
        else:
            self._route(path, given, raw)

    do_POST = do_PATCH = do_GET  # noqa: N815 - named by the protocol

    def _route(self, path: str, given: Given, raw: bytes) -> None:
        route = next(((found, act) for form, act in ROUTES.items() if (found := re.fullmatch(form, f"{self.command} {path}"))), None)
        is_json = "json" in (self.headers.get("Content-Type") or "")
        result = route and route[1](self.hub, *route[0].groups(), given, json.loads(raw) if is_json else raw)  # type: ignore[operator]
        if result is None:
            self.answer(404, b'{"message": "Not Found"}')
        elif isinstance(result, list):
            self._page(path, given, result)
        else:
            self.answer(200, json.dumps(result).encode())

    def _page(self, path: str, given: Given, entries: list[Json]) -> None:
        number = int(given.get("page", "1"))
        shown = entries[(number - 1) * self.hub.page : number * self.hub.page]
        rest = "&".join(f"{name}={value}" for name, value in {**given, "page": str(number + 1)}.items())
        link = {"Link": f'<{self.hub.address}{path}?{rest}>; rel="next"'} if number * self.hub.page < len(entries) else {}
        body = {"artifacts": shown} if path.endswith("/artifacts") else shown
        self.answer(200, json.dumps(body).encode(), **link)


class Elsewhere(Handler):
    """The host that downloads are sent to."""

    def do_GET(self) -> None:
        """Give a file, and remember who asked."""
        self.hub.seen_elsewhere.append(self.headers.get("Authorization"))
        self.answer(200, self.hub.files[int(self.path[1:])])


@contextmanager
def github() -> Iterator[Hub]:
    """Both hosts, on addresses of this machine, for as long as the block lasts."""
    hub = Hub()
    servers = [Server(("127.0.0.1", 0), type(one.__name__, (one,), {"hub": hub})) for one in (Api, Elsewhere)]
    hub.address, hub.elsewhere = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
