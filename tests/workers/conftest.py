"""Both reference workers in both environments, as the catalog declares them, deployed on a local cloud through its REST API."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from crane_infra.catalog import crane
from crane_infra.checks.run import Target
from crane_infra.config.catalog import CatalogWorker
from local_cloud.daemon import Running
from tests.cloud import Api, api_of
from tests.repository import ROOT

WORKERS = ROOT / "workers"
SECRETS = {
    "CONTEXT_RELAY_KEY": "canary-relay-key",
    "CONTEXT_ADMIN_KEY": "canary-admin-key",
    "GEMINI_API_KEY": "canary-gemini-key",
    "GH_PRIVATE_KEY_PEM": "-----BEGIN PRIVATE KEY-----\ncanary-private-key\n-----END PRIVATE KEY-----\n",
    "GH_WEBHOOK_SECRET": "canary-webhook-secret",
}


@dataclass(frozen=True)
class Deployed:
    """A worker that serves, and its database."""

    api: Api
    name: str
    database: str
    version: dict[str, Any]

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> tuple[int, Any]:
        """Status and JSON of an answer; every answer is JSON that no cache keeps."""
        reply = self._ask(method, path, headers, body)
        assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("application/json", "no-store")
        assert "canary" not in reply.text
        return reply.status_code, reply.json()

    def allowed(self, method: str, path: str) -> str:
        """The methods that a refusal of this one offers."""
        return str(self._ask(method, path).headers["allow"])

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What its database holds."""
        return self.api.query(self.database, sql)[0]

    def target(self) -> Target:
        """What the smoke checks need to know."""
        return Target(self.name, f"{self.api.running.edge_url}/{self.name}", self.version["id"], SECRETS)

    def _ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> httpx.Response:
        return self.api.edge({"name": self.name}, path, method, headers=headers, content=body)


@pytest.fixture(scope="module")
def deployed(cloud: Running) -> Iterator[dict[tuple[str, str], Deployed]]:
    """By worker and environment."""
    catalog, api = crane(), api_of(cloud)
    with api.http:
        yield {
            (name, environment): _deploy(api, name, worker, environment)
            for name, worker in catalog.workers.items()
            for environment in ("staging", "production")
        }


@pytest.fixture
def context(deployed: dict[tuple[str, str], Deployed]) -> Deployed:
    """crane-context in staging."""
    return deployed["crane-context", "staging"]


@pytest.fixture
def context_in_production(deployed: dict[tuple[str, str], Deployed]) -> Deployed:
    """crane-context in production."""
    return deployed["crane-context", "production"]


@pytest.fixture
def classifier(deployed: dict[tuple[str, str], Deployed]) -> Deployed:
    """crane-classifier in staging."""
    return deployed["crane-classifier", "staging"]


def migrations(worker: str) -> list[Path]:
    """The migration files of a worker, in order."""
    return sorted((WORKERS / worker / "migrations").iterdir())


def _deploy(api: Api, name: str, worker: CatalogWorker, environment: str) -> Deployed:
    script = f"{name}-{environment}"
    database = api.database(script)
    for file in migrations(name):
        api.query(database, file.read_text())
    subdomain = {"enabled": True, "previews_enabled": False}
    made = api.result("POST", "/workers/workers", {"name": script, "subdomain": subdomain})
    body = {
        "main_module": worker.main_module,
        "modules": [_module(file) for file in sorted((WORKERS / worker.bundle).iterdir())],
        "compatibility_date": worker.compatibility_date,
        "compatibility_flags": worker.compatibility_flags,
        "bindings": _bindings(worker, environment, database),
        "annotations": {"workers/tag": "tagged"},
    }
    version = api.result("POST", f"/workers/workers/{made['id']}/versions", body)
    api.deploy(made, (version, 100))
    return Deployed(api, script, database, version)


def _module(file: Path) -> dict[str, str]:
    content = base64.b64encode(file.read_bytes()).decode()
    return {"name": file.name, "content_type": "application/javascript+module", "content_base64": content}


def _bindings(worker: CatalogWorker, environment: str, database: str) -> list[dict[str, str]]:
    variables = {**worker.variables, "ENVIRONMENT": environment}
    secrets = {secret.binding: SECRETS[secret.binding] for secret in worker.secrets if secret.required}
    return [
        {"name": worker.version_metadata, "type": "version_metadata"},
        *({"name": name, "type": "d1", "database_id": database} for name in worker.databases),
        *({"name": name, "type": "plain_text", "text": text} for name, text in variables.items()),
        *({"name": name, "type": "secret_text", "text": text} for name, text in secrets.items()),
    ]
