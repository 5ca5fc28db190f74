"""Whatever GitHub, or a proxy before it, answers: the command ends with one line, and never writes a second time what it could not find."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from crane_infra.errors import GithubError
from crane_infra.github.client import Github
from crane_infra.github.sticky import BOT, put_comment, put_issue
from crane_infra.github.stored import fetch, keep
from tests.http_server import Server
from tests.wrong_values import ABSENT, WRONG, json_values, paths, spoiled

NAME = f"release-{'d' * 64}"
NOTE = {"id": 1, "number": 2, "user": {"login": BOT}, "body": "<!-- mark -->\nold", "html_url": "https://github.com/x"}
RUN = {"head_sha": "c" * 40, "head_repository_id": 1, "repository_id": 1}
RELEASE = {"upload_url": "http://127.0.0.1:9/upload{?name}", "assets": [{"id": 3, "name": f"{NAME}.tar"}]}
ANSWERS: dict[str, Any] = {
    "comments": [NOTE],
    "issues": [NOTE],
    "artifacts": {"artifacts": [{"id": 4, "expired": True, "workflow_run": RUN}]},
    "releases": [RELEASE],
    "v1": RELEASE,
}


@dataclass
class Proxy:
    """Answers the reads of one path, by its last part, with something else; ``writes`` are the writes that came."""

    spoilt: str = ""
    status: int = 200
    body: bytes = b""
    writes: list[str] = field(default_factory=list)
    github: Github = field(default_factory=lambda: Github("", "", ""))


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A server that stands before GitHub."""
    made = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            name = self.path.partition("?")[0].rpartition("/")[2]
            body, status = json.dumps(ANSWERS.get(name, NOTE)).encode(), 200
            if self.command == "GET" and name == made.spoilt:
                body, status = made.body, made.status
            if self.command != "GET":
                made.writes.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_GET  # noqa: N815 - named by the protocol

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.github = Github(f"http://127.0.0.1:{server.server_port}", "owner/name", "canary-token")
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A release as one file."""
    path = tmp_path / "release.tar"
    path.write_bytes(b"x")
    return path


Command = Callable[[Github, Path], object]
COMMANDS: dict[str, Command] = {
    "comments": lambda github, _: put_comment(github, 7, "mark", "new"),
    "issues": lambda github, _: put_issue(github, "mark", "title", "new"),
    "artifacts": lambda github, _: fetch(github, "d" * 64, "c" * 40),
    "releases": lambda github, _: fetch(github, "d" * 64, "c" * 40),
    "v1": lambda github, archive: keep(github, "v1", "d" * 64, archive),
}
"""By the last part of the path that is spoilt, what reads it."""


def refusal(proxy: Proxy, name: str, body: bytes, status: int, archive: Path) -> str:
    """How a command refuses, in one line; empty where it does not. Any other exception fails the test."""
    proxy.spoilt, proxy.body, proxy.status = name, body, status
    proxy.writes.clear()
    text = ""
    try:
        COMMANDS[name](proxy.github, archive)
    except GithubError as error:
        text = str(error)
    assert len(text.splitlines()) <= 1
    assert "canary" not in text
    return text


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_field_of_another_type_is_read_or_refused_in_one_line(proxy: Proxy, archive: Path, name: str, wrong: str) -> None:
    for path in paths(ANSWERS[name]):
        if path or WRONG[wrong] is not ABSENT:
            body = json.dumps(spoiled(ANSWERS[name], path, WRONG[wrong])).encode()
            refusal(proxy, name, body, 200, archive)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"<html>not here</html>"), (404, b""), (404, b"[]"), (502, b"<html></html>"), (200, b"<html></html>"), (200, b"[")],
)
def test_a_page_is_no_answer_and_nothing_is_written(proxy: Proxy, archive: Path, name: str, status: int, body: bytes) -> None:
    text = refusal(proxy, name, body, status, archive)
    assert text.startswith("GitHub ")
    assert text.endswith(" Run it again.")
    assert proxy.writes == []


def test_a_release_that_github_itself_does_not_know_is_made(proxy: Proxy, archive: Path) -> None:
    refusal(proxy, "v1", b'{"message": "Not Found", "status": "404"}', 404, archive)
    assert proxy.writes == ["/repos/owner/name/releases"]


@given(answer=json_values)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", COMMANDS)
def test_any_answer_is_read_or_refused_in_one_line(proxy: Proxy, archive: Path, name: str, answer: object) -> None:
    refusal(proxy, name, json.dumps(answer).encode("utf-8", "surrogatepass"), 200, archive)
