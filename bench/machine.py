"""A local cloud in a temporary folder for the measurements, and short calls to its API."""

from __future__ import annotations

import base64
import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from local_cloud import daemon
from local_cloud.workerd.install import ensure_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.daemon import Running

CACHE = Path(__file__).parents[1] / ".crane" / "runtime"


@dataclass(frozen=True)
class Api:
    """Calls to the REST API of a running cloud."""

    running: Running
    http: httpx.Client

    def result(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """Call a path of the account and return the result. Raises httpx.HTTPStatusError if the call fails."""
        reply = self.http.request(method, self.url(path), json=body)
        return reply.raise_for_status().json()["result"]

    def url(self, path: str) -> str:
        """The full address of a path of the account."""
        return f"{self.running.api_url}/accounts/{self.running.account_id}{path}"

    def database(self, name: str) -> str:
        """Create a database with a table ``t(a)``, and return its id."""
        uuid = str(self.result("POST", "/d1/database", {"name": name})["uuid"])
        self.result("POST", f"/d1/database/{uuid}/query", {"sql": "CREATE TABLE t(a)"})
        return uuid

    def worker(self, name: str, database: str) -> None:
        """Create a worker that binds a database, and deploy it."""
        worker = self.result("POST", "/workers/workers", {"name": name})
        self.release(name, worker["id"], database, "hello")

    def release(self, name: str, worker: str, database: str, answer: str) -> None:
        """Upload a version of a worker that gives this answer, and deploy it."""
        code = f"export default {{ fetch: () => new Response('{answer}') }};"
        content = base64.b64encode(code.encode()).decode()
        modules = [{"name": "index.js", "content_type": "application/javascript+module", "content_base64": content}]
        bindings = [{"name": "DB", "type": "d1", "database_id": database}]
        body = {"main_module": "index.js", "modules": modules, "compatibility_date": "2026-01-01", "bindings": bindings}
        version = self.result("POST", f"/workers/workers/{worker}/versions", body)
        versions = [{"version_id": version["id"], "percentage": 100}]
        self.result("POST", f"/workers/scripts/{name}/deployments", {"strategy": "percentage", "versions": versions})


@contextlib.contextmanager
def cloud(folder: Path) -> Iterator[Api]:
    """Run a local cloud on a folder."""
    running = daemon.start(folder, runtime_cache=CACHE)
    try:
        with client(running.token) as http:
            yield Api(running, http)
    finally:
        daemon.stop(folder)


def client(token: str) -> httpx.Client:
    """A client that keeps its connections open."""
    return httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False)


def modules() -> Path:
    """The folder of the Node modules that a local cloud uses."""
    return ensure_modules(CACHE)


def described() -> str:
    """This machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
