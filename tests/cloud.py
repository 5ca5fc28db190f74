"""A local cloud for all tests of a file, and helpers that create databases and workers on it."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local_cloud import daemon
from local_cloud.daemon import Running
from local_cloud.faults.client import Faults
from tests.ports import free_port
from tests.repository import ROOT
from tests.world import warm

CACHE = ROOT / ".crane" / "runtime"
MANY_DATABASES, MANY_WORKERS = 40, 4
Body = dict[str, Any]
HELLO = "export default { fetch: () => new Response('hello') };"


def start_from_a_warm_python() -> None:
    """Let the clouds that this process starts fork from a Python that has imported what they import (``tests/world/warm``)."""
    spawn, commands = daemon._spawn, list[int]()

    def warm_spawn(*arguments: Any) -> int:  # noqa: ANN401 (those of the daemon)
        daemon.PYTHON = warm.python(*warm.CLOUD)
        commands[:] = [command for command in commands if not daemon._reap(command)]  # those whose clouds have ended
        commands.append(spawn(*arguments))
        return commands[-1]

    daemon._spawn = warm_spawn  # type: ignore[assignment]


def start(folder: Path, port: int = 0) -> Running:
    """Start a cloud whose Node modules are shared by all tests. One that starts again uses its port again."""
    return daemon.start(folder, port=port or (0 if folder.exists() and any(folder.iterdir()) else free_port()), runtime_cache=CACHE)


def modules(code: str) -> list[Body]:
    """The modules of an upload with one main module."""
    content = base64.b64encode(code.encode()).decode()
    return [{"name": "index.js", "content_type": "application/javascript+module", "content_base64": content}]


@dataclass
class Api:
    """Calls to one running cloud's REST API and edge."""

    running: Running
    http: httpx.Client
    made: list[str] = field(default_factory=list)
    """Names of workers to delete after the test: each running worker makes every deployment slower."""

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Call a path of the account."""
        return self.http.request(method, f"{self.running.api_url}/accounts/{self.running.account_id}{path}", json=body)

    def result(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """Call a path of the account and give the result of a success."""
        reply = self.call(method, path, body)
        assert reply.status_code == 200, reply.text
        assert reply.json()["success"] is True
        return reply.json()["result"]

    def refusal(self, method: str, path: str, body: object = None) -> tuple[int, int, str]:
        """Call a path of the account and give status, code and text of a refusal."""
        reply = self.call(method, path, body)
        envelope = reply.json()
        assert (envelope["success"], envelope.get("result"), envelope.get("messages", [])) == (False, None, [])
        return reply.status_code, envelope["errors"][0]["code"], envelope["errors"][0]["message"]

    def database(self, name: str = "") -> str:
        """Create a database and give its id."""
        return str(self.result("POST", "/d1/database", {"name": name or f"db-{uuid4().hex}"})["uuid"])

    def query(self, database: str, sql: str, *params: object) -> list[list[Body]]:
        """Run SQL and give the rows of each statement."""
        results = self.result("POST", f"/d1/database/{database}/query", {"sql": sql, "params": list(params)})
        return [result["results"] for result in results]

    def worker(self) -> Body:
        """Create a worker that is enabled on workers.dev."""
        subdomain = {"enabled": True, "previews_enabled": True}
        worker: Body = self.result("POST", "/workers/workers", {"name": f"w-{uuid4().hex}", "subdomain": subdomain})
        self.made.append(worker["name"])
        return worker

    def upload(self, worker: Body, code: str = HELLO, **more: object) -> Body:
        """Upload a version."""
        version: Body = self.result("POST", f"/workers/workers/{worker['id']}/versions", upload_body(code, **more))
        return version

    def deploy(self, worker: Body, *shares: tuple[Body, float]) -> Body:
        """Deploy versions with their percentages."""
        versions = [{"version_id": version["id"], "percentage": percentage} for version, percentage in shares]
        deployment: Body = self.result(
            "POST", f"/workers/scripts/{worker['name']}/deployments", {"strategy": "percentage", "versions": versions}
        )
        return deployment

    def edge(self, worker: Body, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:  # noqa: ANN401 (httpx)
        """Send a request to a deployed worker."""
        return httpx.request(method, f"{self.running.edge_url}/{worker['name']}{path}", trust_env=False, timeout=60, **more)


def upload_body(code: str = HELLO, **more: object) -> Body:
    """The body of an upload."""
    return {"main_module": "index.js", "modules": modules(code), "compatibility_date": "2026-01-01", **more}


def api_of(running: Running, token: str = "") -> Api:
    """Calls to a cloud, with its own token or another; the caller closes ``http``."""
    return Api(running, httpx.Client(headers={"authorization": f"Bearer {token or running.token}"}, timeout=60, trust_env=False))


@dataclass
class Clouds:
    """A cloud for one file of tests after the other. One that holds much is not taken again.

    Each start of its runtime declares the workers that it does not load, and lists grow.
    """

    factory: pytest.TempPathFactory
    running: Running | None = None

    def next(self) -> Running:
        """The cloud of the file before, or a new one."""
        if self.running and _holds_much(self.running):
            self.end()
        self.running = self.running or start(self.factory.mktemp("cloud"))
        return self.running

    def end(self) -> None:
        """Stop the cloud."""
        if self.running:
            daemon.stop(self.running.folder)
        self.running = None


def _holds_much(running: Running) -> bool:
    """Whether many databases or workers were left."""
    api = api_of(running)
    with api.http:
        databases = api.call("GET", "/d1/database").json()["result_info"]["total_count"]
        return bool(databases > MANY_DATABASES or len(api.result("GET", "/workers/scripts")) > MANY_WORKERS)


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    """The clouds of the session."""
    made = Clouds(tmp_path_factory)
    yield made
    made.end()


@pytest.fixture(scope="module")
def cloud(clouds: Clouds) -> Running:
    """The cloud that a file's tests share."""
    return clouds.next()


@pytest.fixture
def api(cloud: Running) -> Iterator[Api]:
    """Calls to the file's cloud."""
    calls = api_of(cloud)
    with calls.http:
        yield calls
        for name in calls.made:
            calls.call("DELETE", f"/workers/scripts/{name}?force=true")


@pytest.fixture
def faults(cloud: Running) -> Iterator[Faults]:
    """The faults of the file's cloud, reset afterwards."""
    injected = Faults(cloud)
    injected.reset()
    yield injected
    injected.reset()


@pytest.fixture
def begin() -> Iterator[Callable[..., Running]]:
    """Start clouds that stop after the test."""
    folders: list[Path] = []

    def begun(folder: Path, port: int = 0) -> Running:
        folders.append(folder)
        return start(folder, port)

    yield begun
    for folder in folders:
        daemon.stop(folder)
