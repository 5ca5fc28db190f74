"""A small clone in a folder of its own: stack files, bundles, migrations, what both stacks export, and previews in the engine's words.

The JSON has the shape that pulumi 3.259 prints (tests/report/test_previews.py reports from the real one); it is cut to what a report may look at.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, Secret
from crane_infra.config.settings import Environment, Settings
from crane_infra.config.variables import variables_of
from crane_infra.migrations.ledger import head_of
from crane_infra.migrations.lint.judge import examine
from crane_infra.migrations.pending_line import pending_line
from crane_infra.release.proof import PROOF_SCHEMA
from crane_infra.report.collect import Given, collect, failure
from crane_infra.report.compare import make_report
from crane_infra.report.files import Files, read_files, read_settings
from crane_infra.report.model import Report
from crane_infra.report.render import render
from crane_infra.secrets.rules import KEY_NAME, fingerprint

Json = dict[str, Any]
ACCOUNT = "0123456789abcdef0123456789abcdef"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how the engine writes what nobody knows yet
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SUFFIX = {"staging": "-staging", "production": "-prod"}
KEY = "canary-fingerprint-key"
SECRETS = {"CONTEXT_KEY": "canary-context", "WEBHOOK_SECRET": "canary-webhook"}
FILES = {
    "crane-context/dist/index.js": "export default { fetch: () => new Response('ok') };\n",
    "crane-context/dist/keys.js": "export const keys = 1;\n",
    "crane-context/migrations/0001_create_sessions.sql": "CREATE TABLE sessions (id TEXT PRIMARY KEY, host TEXT, seen_at TEXT NOT NULL);\n",
    "crane-context/migrations/0002_create_notes.sql": (
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE, text TEXT);\n"
    ),
    "crane-classifier/dist/index.js": "export default { fetch: () => new Response('classified') };\n",
    "crane-classifier/migrations/0001_create_deliveries.sql": "CREATE TABLE deliveries (id TEXT PRIMARY KEY, kind TEXT);\n",
}


def catalog() -> Catalog:
    """Two workers with a database each."""
    return Catalog(
        workers={
            "crane-context": CatalogWorker(
                bundle="crane-context/dist",
                compatibility_date="2024-01-01",
                databases={"DB": "crane-context-db"},
                variables={"STALE_MINUTES": "45"},
                environment_variables=("ENVIRONMENT",),
                secrets=(Secret(binding="RELAY_KEY", key="CONTEXT_KEY", distinct=True),),
                reports_version=False,
            ),
            "crane-classifier": CatalogWorker(
                bundle="crane-classifier/dist",
                compatibility_date="2025-12-15",
                databases={"DB": "crane-classifier-db"},
                environment_variables=("ENVIRONMENT",),
                secrets=(Secret(binding="WEBHOOK_SECRET", key="WEBHOOK_SECRET"),),
                reports_version=False,
            ),
        },
        databases={
            "crane-context-db": CatalogDatabase(migrations="crane-context/migrations"),
            "crane-classifier-db": CatalogDatabase(migrations="crane-classifier/migrations"),
        },
    )


def stack_file(environment: Environment) -> Json:
    """The settings of an environment, secrets encrypted."""
    own = {"variables": {"ENVIRONMENT": environment}}
    return {
        "crane-infra:workers-dir": "workers",
        "crane-infra:account-id": ACCOUNT,
        "crane-infra:workers-subdomain": "example",
        "crane-infra:fingerprint-key": {"secure": "v1:ciphertext"},
        "crane-infra:secrets": {key: {"secure": "v1:ciphertext"} for key in SECRETS},
        "crane-infra:databases": {name: {"name": name + SUFFIX[environment]} for name in ("crane-context-db", "crane-classifier-db")},
        "crane-infra:workers": {name: dict(own) for name in ("crane-context", "crane-classifier")},
    }


@dataclass
class Stage:
    """The clone. What is ``deployed`` is what the files were when ``deploy`` was called."""

    folder: Path
    catalog: Catalog = field(default_factory=catalog)
    outputs: dict[Environment, Json] = field(default_factory=dict)
    files: dict[Environment, Files] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    config: dict[Environment, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the files."""
        (self.folder / "Pulumi.yaml").write_text("name: crane-infra\nruntime: python\n", encoding="utf-8")
        for environment in SUFFIX:
            self.configure(environment, stack_file(environment))  # type: ignore[arg-type]
        for name, text in FILES.items():
            self.write(name, text)

    def configure(self, environment: Environment, config: Json) -> None:
        """Replace the settings of an environment."""
        self.config[environment] = config
        (self.folder / f"Pulumi.{environment}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file below workers/."""
        path = self.folder / "workers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Remove a file or folder below workers/."""
        path = self.folder / "workers" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def fingerprints(self) -> dict[str, str]:
        """Those of the present secrets."""
        return {key: fingerprint(value, KEY) for key, value in {**self.secrets, KEY_NAME: KEY}.items()}

    def deploy(self, *environments: Environment) -> None:
        """Take the files for what runs in these environments, seen and proven."""
        for environment in environments:
            files, settings = self.now(environment)
            record = {"proofs": [self._proof(settings, files)], "environment": self._environment(settings)}
            older = self.outputs.get(environment, {}).get("proofs", [])
            self.outputs[environment] = {**record, "proofs": [*record["proofs"], *older]}
            self.files[environment] = files

    def now(self, environment: Environment) -> tuple[Files, Settings]:
        """The present files and settings."""
        with contextlib.chdir(self.folder):
            settings = read_settings(environment, Path(), {})
            return read_files(self.catalog, settings.workers_dir), settings

    def _proof(self, settings: Settings, files: Files) -> Json:
        assert files.release, files.refusals
        heads = {name: head_of(own) for name, own in files.migrations.items()}
        return {
            "schema": PROOF_SCHEMA,
            "project": settings.project,
            "environment": settings.environment,
            "account": settings.account_id,
            "digest": files.release.digest,
            "manifest": files.manifest,
            "workers": {
                name: {"script": settings.script(name), "version": f"{name}-version", "tag": files.release.tag(name)}
                for name in files.bundles
            },
            "databases": {
                name: {
                    "id": f"id-of-{own.name}",
                    "name": own.name,
                    "head": {"name": heads[name].name, "count": heads[name].count, "digest": heads[name].digest},
                }
                for name, own in settings.databases.items()
            },
            "checks": {name: [] for name in files.bundles},
            "commit": "c0ffee",
            "proven_at": "2026-11-23T08:00:00Z",
            "versions": {},
        }

    def _environment(self, settings: Settings) -> Json:
        return {
            "databases": {
                name: {"name": own.name, "id": f"id-of-{own.name}", "adopted": own.adopt is not None}
                for name, own in settings.databases.items()
            },
            "workers": {
                name: {
                    "script": settings.script(name),
                    "url": settings.url(name),
                    "adopted": own.adopt,
                    "variables": variables_of(name, self.catalog, settings),
                    "services": {},
                }
                for name, own in settings.workers.items()
            },
            "secrets": self.fingerprints,
        }

    def preview(self, environment: Environment = "staging", said: tuple[tuple[str, str], ...] = (), steps: tuple[Json, ...] = ()) -> Json:
        """What the engine would print for the present files, with more messages (severity, text) and steps."""
        refused = any(severity == "error" for severity, _ in said)
        root: Json = {"op": "same", "urn": self.urn(environment, "pulumi:pulumi:Stack", f"crane-infra-{environment}")}
        root |= {"oldState": {"outputs": self.outputs[environment]}} if environment in self.outputs else {"op": "create"}
        found = [] if refused else list(self._steps(environment))
        said = said if refused else (*self._pending(environment), *said)
        told = [{"message": f"{'error: ' if severity == 'error' else ''}{text}\n", "severity": severity} for severity, text in said]
        digest: Json = {"config": {}, "steps": [root, *found, *steps], "changeSummary": {}}
        return digest | ({"diagnostics": told} if told else {})

    def _pending(self, environment: Environment) -> Iterator[tuple[str, str]]:
        """What the program says of the ledgers, which hold what was deployed."""
        files, settings = self.now(environment)
        was = self.files.get(environment)
        for name, own in files.migrations.items():
            done = {file.name for file in was.migrations[name]} if was else set()
            shown = settings.databases[name].name
            if settings.databases[name].adopt:
                yield "info", f"{shown}: taken over from wrangler: {', '.join(file.name for file in own)}"
                continue
            for one in examine(own, [file for file in own if file.name not in done]):
                yield "info", pending_line(shown, one)
                yield from (("warning", f"{shown}: {finding}") for finding in one.findings)

    @staticmethod
    def urn(environment: str, kind: str, name: str) -> str:
        """A resource's name in the engine."""
        return f"urn:pulumi:{environment}::crane-infra::{kind}::{name}"

    def _steps(self, environment: Environment) -> Iterator[Json]:
        files, settings = self.now(environment)
        was, last = self.files.get(environment), self.outputs.get(environment, {})
        rotated = last.get("environment", {}).get("secrets") != self.fingerprints
        workers, schemas = list(files.bundles), list(files.migrations)
        for name in workers:
            if rotated or was is None or was.manifest["workers"].get(name) != files.manifest["workers"][name]:
                old = {"inputs": _version(was, name)} if was else None
                yield self._step(
                    environment, "crane:infra:Worker$cloudflare:index/workerVersion:WorkerVersion", name, old, _version(files, name)
                )
        for name in schemas:
            if was is None or was.migrations[name] != files.migrations[name]:
                old = {"inputs": _schema(was, name)} if was else None
                yield self._step(environment, "crane:infra:Database$pulumi:index:Stash", f"{name}-schema", old, _schema(files, name))
        new = {"input": {"environment": self._environment(settings), "proofs": UNKNOWN}}
        if last.get("environment") != new["input"]["environment"] or was is None or was.manifest != files.manifest:
            yield self._step(environment, "pulumi:index:Stash", "release", {"inputs": {"input": last}} if last else None, new)

    def _step(self, environment: str, kind: str, name: str, old: Json | None, new: Json) -> Json:
        op = "create" if old is None else "replace" if kind.endswith("WorkerVersion") else "update"
        step: Json = {"op": op, "urn": self.urn(environment, kind, name), "newState": {"inputs": new}, "detailedDiff": None}
        return step | ({"oldState": old} if old else {})

    def report(
        self,
        *,
        staging: Json | None = None,
        production: Json | None = None,
        failed: str | None = None,
        outputs: tuple[Environment, ...] = ("production",),
        environ: Mapping[str, str] | None = None,
    ) -> Report:
        """The report from previews, from the outputs of the named stacks, and from what a failed preview said, each handed over as a file."""
        given = Given(
            {"staging": self._file("staging.json", staging), "production": self._file("production.json", production)},
            {name: self._file(f"{name}-outputs.json", self.outputs.get(name, {})) for name in outputs},
            None if failed is None else self._file("failed.txt", failed),
        )
        with contextlib.chdir(self.folder):
            sides = collect(self.catalog, given, Path(), environ or {})
            return make_report(self.catalog, sides, failure(given.failed, self.catalog, sides, environ or {}), NOW)

    def _file(self, name: str, content: Json | str | None) -> Path | None:
        if content is None:
            return None
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path


def _version(files: Files, name: str) -> Json:
    return {
        "annotations": {"workersTag": files.manifest["workers"][name]["digest"]},
        "bindings": "[secret]",
        "modules": [{"name": module.name, "contentBase64": module.base64} for module in files.bundles[name].modules],
    }


def _schema(files: Files, name: str) -> Json:
    return {"input": {"database": name, "migrations": [{"name": file.name, "sha256": file.sha256} for file in files.migrations[name]]}}


def comment(report: Report) -> str:
    """The report as it is posted."""
    return render(report)
